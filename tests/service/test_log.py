from __future__ import annotations

import io
import json
import logging

from upconv.service.log import LogHandler, new_log


def test_what_others_log() -> None:
    file = io.StringIO()
    logger = logging.getLogger("upconv-test")
    handler = LogHandler(new_log(file))
    logger.addHandler(handler)
    logger.warning("beware of %s", "it")
    logger.removeHandler(handler)
    line = json.loads(file.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("beware of it", "warning", "upconv-test")
