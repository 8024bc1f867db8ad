"""As look.py does, by tflite-runtime's portable kernels: to the last bit what its kernels for ARM do.

Those for x86-64 round otherwise.
"""

import functools

import look
from tflite_runtime import interpreter

if __name__ == "__main__":
    interpreter.Interpreter = functools.partial(
        interpreter.Interpreter, experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF
    )
    look.main()
