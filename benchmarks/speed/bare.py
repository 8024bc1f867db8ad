"""The least a process can do that finds anything: import, read one photograph's worth of zeros, run once."""

import sys

import cv2  # noqa: F401
import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(sys.argv[1], num_threads=int(sys.argv[2]))
interpreter.allocate_tensors()
image = interpreter.get_input_details()[0]
interpreter.set_tensor(image["index"], np.zeros(image["shape"], image["dtype"]))
interpreter.invoke()
