"""The environment of a child process that needs no secret: what finding libraries, files and hardware takes.

It is made from an allow list, so that a provider's key of any name is not in it. Not covered: processes that ask
providers.
"""

from __future__ import annotations

from collections.abc import Mapping

_NAMES = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "TZ", "LANG", "LANGUAGE", "VIRTUAL_ENV"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"),
        *("HF_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "TRANSFORMERS_CACHE"),
    )
)
_BEGINNINGS = (
    *("LC_", "PYTHON", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_"),
    *("GGML_", "TORCH_", "COV_", "COVERAGE_"),
)


def lean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment such a process gets.

    >>> lean_environment({"PATH": "/bin", "LC_ALL": "C", "OPENAI_API_KEY": "sk-1", "LLAMA_API_KEY": "x"})
    {'PATH': '/bin', 'LC_ALL': 'C'}
    """
    return {name: value for name, value in environment.items() if name in _NAMES or name.startswith(_BEGINNINGS)}
