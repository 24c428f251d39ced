"""The process that asks the trained weights: `python -m freehold.serve.reference HF_FOLDER PARENT_PID`.

Reads questions as JSON from stdin (messages, the ids that the engine answered, and which places of them to compare) and
writes, as one JSON line, the prompt's ids as transformers renders them, and for each of those places its id's log
probability and whether that id is the likeliest.
Works in fp32, and dies with its parent. Not covered: judging the difference (`parity`).
"""

from __future__ import annotations

import json
import sys
from typing import Any

from freehold.system.lifeline import die_with_parent


def main() -> None:
    """Answer the questions on stdin."""
    folder, parent = sys.argv[1:]
    die_with_parent(int(parent))
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()
    answers = [_answer(model, tokenizer, question) for question in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(answers) + "\n")


def _answer(model: Any, tokenizer: Any, question: dict[str, Any]) -> dict[str, Any]:
    import torch

    text = tokenizer.apply_chat_template(question["messages"], tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
    answer, places = torch.tensor(question["answer_ids"], dtype=torch.long), question["places"]
    if not places:
        return {"prompt_ids": prompt, "logprobs": [], "is_top": []}
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + question["answer_ids"]])).logits[0, len(prompt) - 1 : -1]
    logprobs = torch.log_softmax(logits, -1).gather(1, answer[:, None]).squeeze(1)
    is_top = logits.argmax(-1) == answer
    return {"prompt_ids": prompt, "logprobs": logprobs[places].tolist(), "is_top": is_top[places].tolist()}


if __name__ == "__main__":
    main()
