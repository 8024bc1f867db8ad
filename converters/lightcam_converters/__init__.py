"""Keras to TFLite with everything the device needs in one file (host side).

Importing this package chooses Keras's TensorFlow backend, whatever the
environment says: only TensorFlow writes TFLite.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
