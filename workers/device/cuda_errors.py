"""What an exception says about the device: memory that ran out can be had again, any other CUDA error stays in the process.

CUDA reports a kernel's failure at some later call, and every call after it fails, too (CUDA Runtime API, "sticky" errors).
"""

from __future__ import annotations

OUT_OF_MEMORY = ("out of memory", "bad_alloc", "cannot allocate memory", "can't allocate memory", "status_alloc_failed")
STICKY = ("cuda error", "cuda failed with error", "cudnn error", "cudnn_status_", "cublas_status_", "cufft_")


def out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY)


def sticky(error: BaseException) -> bool:
    """Whether nothing but a new process can use the device again."""
    return not out_of_memory(error) and any(words in str(error).lower() for words in STICKY)


def pass_on(error: BaseException) -> None:
    """Raise it again where it says something of the device, and not of the model that was to be loaded."""
    if out_of_memory(error) or sticky(error):
        raise error
