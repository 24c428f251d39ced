"""Servers that people run themselves and that speak OpenAI's chat completions: vLLM, llama.cpp, Ollama and others."""

from __future__ import annotations

from replay.traffic import Reading, Recorded, ask, head, streamed, tokens, tool, whole

VL, LC, OL = (
    head("our-model"),
    head("qwen.gguf", system_fingerprint="b11549"),
    head("llama4", system_fingerprint="fp_ollama"),
)
TIMINGS = {"timings": {"cache_n": 24, "prompt_n": 15, "prompt_ms": 19.5, "predicted_n": 4, "predicted_ms": 30.0}}
OWN: list[Recorded] = [
    whole(
        "vLLM: aborted",
        ask("our"),
        VL.body(
            {"content": "On", "reasoning": None, "tool_calls": []}, "abort", tokens(9, 1), choice={"stop_reason": None}
        ),
        Reading("On", ending="cut_off", usage=(9, None, 1), model="our-model"),
    ),
    whole(
        "vLLM: an error object",
        ask("our"),
        {
            "object": "error",
            "message": "maximum context length is 4096 tokens",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
        Reading(ending="none", error="maximum context", call_error="upstream_error"),
    ),
    streamed(
        "vLLM: usage all along, under another content type",
        ask("our", stream=True),
        [
            VL.chunk({"role": "assistant", "content": ""}, usage=tokens(9, 0)),
            VL.chunk({"content": "Yes."}, usage=tokens(9, 1)),
            VL.chunk({"content": ""}, "stop", usage=tokens(9, 2)),
            VL.bare(usage=tokens(9, 2)),
        ],
        Reading("Yes.", usage=(9, None, 2), model="our-model"),
        kind="application/json",
    ),
    streamed(
        "vLLM: an id for every piece of a tool",
        ask("our", stream=True),
        [
            VL.chunk({"role": "assistant", "content": ""}),
            VL.chunk({"tool_calls": [tool("track", "", "t-1", index=0)]}),
            VL.chunk({"tool_calls": [tool("", '{"id"', "t-2", index=0)]}),
            VL.chunk({"tool_calls": [tool("", ":1}", "t-3", index=0)]}),
            VL.chunk({}, "tool_calls"),
        ],
        Reading(tools=[("track", '{"id":1}')], ending="tool_calls", model="our-model"),
    ),
    streamed(
        "vLLM: thought whose beginning is in the prompt",
        ask("our", stream=True),
        [
            VL.chunk({"role": "assistant", "content": "Look.\n</thi"}),
            VL.chunk({"content": "nk>\n\nYes."}),
            VL.chunk({}, "stop"),
        ],
        Reading("Yes.", "Look.", model="our-model"),
    ),
    streamed(
        "llama.cpp: tokens beside the times",
        ask("qwen", stream=True),
        [
            LC.chunk({"role": "assistant", "content": None}),
            LC.chunk({"content": "Yes."}),
            LC.chunk({}, "stop", **TIMINGS),
        ],
        Reading("Yes.", usage=(39, 24, 4), model="qwen.gguf"),
    ),
    whole(
        "llama.cpp: arguments as an object",
        ask("qwen"),
        LC.body({"content": "", "tool_calls": [tool("track", {"id": 1}, "a")]}, "tool_calls", tokens(9, 9), **TIMINGS),
        Reading(tools=[("track", '{"id":1}')], ending="tool_calls", usage=(9, None, 9), model="qwen.gguf"),
    ),
    streamed(
        "llama.cpp: an empty finish reason on the way",
        ask("qwen", stream=True),
        [LC.chunk({"role": "assistant", "content": "On "}, ""), LC.chunk({"content": "its"}, "")],
        Reading("On its", ending="none", model="qwen.gguf", call_error="cut_off"),
        done=False,
    ),
    whole(
        "Ollama: thinking in a field",
        ask("llama4"),
        OL.body({"content": "Yes.", "reasoning": "Look."}, "stop", tokens(9, 8)),
        Reading("Yes.", "Look.", usage=(9, None, 8), model="llama4"),
    ),
    streamed(
        "Ollama: tools without an index",
        ask("llama4", stream=True),
        [
            OL.chunk({"role": "assistant", "content": "", "tool_calls": [tool("track", '{"id":1}', "a", index=None)]}),
            OL.chunk({"role": "assistant", "content": "", "tool_calls": [tool("track", '{"id":2}', "b", index=None)]}),
            OL.chunk({"role": "assistant", "content": ""}, "tool_calls"),
        ],
        Reading(tools=[("track", '{"id":1}'), ("track", '{"id":2}')], ending="tool_calls", model="llama4"),
    ),
    streamed(
        "a load balancer that says text/readystream",
        ask("our", stream=True),
        ["\ufeff: hello\r\n\r\n", VL.chunk({"role": "assistant", "content": "Yes."}), VL.chunk({}, "stop")],
        Reading("Yes.", model="our-model"),
        kind="text/readystream",
        end="\r\n",
    ),
    streamed(
        "gpt-oss without a parser",
        ask("our", stream=True),
        [
            VL.chunk({"role": "assistant", "content": "<|channel|>analysis<|message|>Look.<|end|>"}),
            VL.chunk({"content": "<|start|>assistant<|channel|>final<|message|>Yes."}, "stop"),
        ],
        Reading("Yes.", "Look.", model="our-model"),
    ),
    streamed(
        "a thought that never ended",
        ask("our", stream=True),
        [VL.chunk({"role": "assistant", "content": "<think>Look."}), VL.chunk({}, "length")],
        Reading("", "Look.", ending="cut_off", model="our-model"),
    ),
]
