"""Classify exceptions of the device libraries.

After an out-of-memory error the process can go on; any other CUDA error is cleared only by a new process. CUDA
reports a kernel's failure at some later call, and all calls after that fail, too ("sticky" errors, CUDA Runtime API).
The libraries raise plain RuntimeErrors, so only the message tells them apart.
"""

from __future__ import annotations

OUT_OF_MEMORY = ("out of memory", "bad_alloc", "cannot allocate memory", "can't allocate memory", "status_alloc_failed")
STICKY = ("cuda error", "cuda failed with error", "cudnn error", "cudnn_status_", "cublas_status_", "cufft_")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, which freeing some can cure."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY)


def is_sticky(error: BaseException) -> bool:
    """Whether only a new process can use the device again."""
    return not is_out_of_memory(error) and any(words in str(error).lower() for words in STICKY)


def reraise_device_error(error: BaseException) -> None:
    """Re-raise an error of the device.

    Return for one that concerns the model being loaded.
    """
    if is_out_of_memory(error) or is_sticky(error):
        raise error
