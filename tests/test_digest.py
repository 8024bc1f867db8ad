import hashlib
import subprocess
import sys

from lightcam_edge.digest import sha256


def test_a_digest_is_that_of_every_other_sha256() -> None:
    for content in (b"", b"abc", bytes(range(256)) * 1000):
        assert sha256(content) == hashlib.sha256(content).hexdigest()


def test_a_run_does_not_load_openssl() -> None:
    code = (
        "import sys; from lightcam_edge.localizer import Localizer; Localizer('nano'); "
        "sys.exit('_hashlib' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode == 0
