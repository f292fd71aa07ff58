"""Exported files, read without mmrel."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch


def run_exported(path: Path, images: torch.Tensor) -> tuple[np.ndarray, dict]:
    """The output and the metadata of an exported file, read without mmrel."""
    if path.suffix == '.onnx':
        session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
        text = session.get_modelmeta().custom_metadata_map['mmrel']
        return session.run(None, {'images': images.numpy()})[0], json.loads(text)
    extra = {'mmrel.json': ''}
    program = torch.export.load(path, extra_files=extra)
    return program.module()(images).detach().numpy(), json.loads(extra['mmrel.json'])
