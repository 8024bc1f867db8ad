"""Passes for NVIDIA's GStreamer element of that name: copies pictures out of `memory:NVMM`."""

import cv2
import numpy as np
from nvarguscamerasrc import NVMM, SIZES, GObject, Gst, GstBase, pad, size_of

PLAIN = Gst.Caps.from_string(f"video/x-raw,format=(string)BGRx,{SIZES}")


class Converter(GstBase.BaseTransform):
    __gstmetadata__ = ("nvvidconv", "Filter/Converter/Video", "passes for NVIDIA's", "nobody")
    __gsttemplates__ = (pad("sink", Gst.PadDirection.SINK, NVMM), pad("src", Gst.PadDirection.SRC, PLAIN))

    def do_transform_caps(self, direction, caps, wanted):
        there = PLAIN if direction == Gst.PadDirection.SINK else NVMM
        sized = Gst.Caps.new_empty()
        for number in range(caps.get_size()):
            one = there.copy()
            for field in ("width", "height", "framerate"):
                if caps.get_structure(number).has_field(field):
                    one.set_value(field, caps.get_structure(number).get_value(field))
            sized.append(one)
        return wanted.intersect(sized) if wanted else sized

    def do_get_unit_size(self, caps):
        width, height = size_of(caps)
        bits = 12 if caps.get_features(0).contains("memory:NVMM") else 32
        return True, width * height * bits // 8

    def do_set_caps(self, caps, _):
        self.size = size_of(caps)
        return True

    def do_transform(self, taken, given):
        width, height = self.size
        with_chroma = np.frombuffer(taken.extract_dup(0, taken.get_size()), np.uint8)
        picture = cv2.cvtColor(with_chroma.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGRA_NV12)
        given.fill(0, picture.tobytes())
        return Gst.FlowReturn.OK


GObject.type_register(Converter)
__gstelementfactory__ = ("nvvidconv", Gst.Rank.NONE, Converter)
