"""Passes for NVIDIA's GStreamer element of that name, as far as a camera is read through it.

It gives a bright rectangle that wanders over a dark ground, as NV12 in
`memory:NVMM`, which only `nvvidconv` takes. What the file $ARGUS says happens to
the camera: `stall` or `error`.
"""

import os
import time
from fractions import Fraction
from pathlib import Path

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
from gi.repository import GObject, Gst, GstBase  # noqa: E402

Gst.init(None)
SIZES = "width=(int)[16,4056],height=(int)[16,3040],framerate=(fraction)[1/1,120/1]"
NVMM = Gst.Caps.from_string(f"video/x-raw(memory:NVMM),format=(string)NV12,{SIZES}")


def pad(name, direction, caps):
    return Gst.PadTemplate.new(name, direction, Gst.PadPresence.ALWAYS, caps)


def size_of(caps):
    first = caps.get_structure(0)
    return first.get_int("width")[1], first.get_int("height")[1]


class Camera(GstBase.BaseSrc):
    __gstmetadata__ = ("nvarguscamerasrc", "Source/Video", "passes for NVIDIA's", "nobody")
    __gsttemplates__ = pad("src", Gst.PadDirection.SRC, NVMM)
    __gproperties__ = {  # noqa: RUF012
        "sensor-id": (int, "sensor", "its number", 0, 7, 0, GObject.ParamFlags.READWRITE)
    }

    def __init__(self):
        super().__init__()
        self.sensor, self.number = 0, 0
        self.set_live(True)
        self.set_format(Gst.Format.TIME)

    def do_get_property(self, _):
        return self.sensor

    def do_set_property(self, _, value):
        self.sensor = value

    def do_set_caps(self, caps):
        self.size = size_of(caps)
        _, above, below = caps.get_structure(0).get_fraction("framerate")
        self.period = Fraction(below, above)
        self.set_blocksize(self.size[0] * self.size[1] * 3 // 2)
        self.began = time.monotonic()
        return True

    def do_fill(self, _offset, _length, buffer):
        told = Path(os.environ["ARGUS"])
        while told.exists() and told.read_text() == "stall":
            time.sleep(0.1)
        if told.exists() and told.read_text() == "error":
            return Gst.FlowReturn.ERROR
        due = self.began + float(self.number * self.period)
        time.sleep(max(0, due - time.monotonic()))
        width, height = self.size
        picture = np.full((height * 3 // 2, width), 128, np.uint8)
        picture[:height] = 40
        left = self.number * 4 % (width - width // 4)
        picture[height // 4 : height // 2, left : left + width // 4] = 220
        buffer.fill(0, picture.tobytes())
        buffer.pts = int(self.number * self.period * Gst.SECOND)
        buffer.duration = int(self.period * Gst.SECOND)
        self.number += 1
        return Gst.FlowReturn.OK


GObject.type_register(Camera)
__gstelementfactory__ = ("nvarguscamerasrc", Gst.Rank.NONE, Camera)
