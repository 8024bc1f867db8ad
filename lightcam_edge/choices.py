"""The words that options and model cards choose from; no imports, so that help is quick."""

from typing import Literal, get_args

Method = Literal["cam", "br-avgcam"]
METHODS: tuple[Method, ...] = get_args(Method)
Component = Literal["largest", "all"]
COMPONENTS: tuple[Component, ...] = get_args(Component)
Scoring = Literal["frame", "region"]
SCORINGS: tuple[Scoring, ...] = get_args(Scoring)
Resize = Literal["squash", "letterbox", "crop"]
RESIZES: tuple[Resize, ...] = get_args(Resize)
Backend = Literal["ai-edge-litert", "tflite-runtime"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
Overlay = Literal["none", "side-by-side", "alone"]
OVERLAYS: tuple[Overlay, ...] = get_args(Overlay)
Lines = Literal["results", "events", "all"]
LINES: tuple[Lines, ...] = get_args(Lines)
