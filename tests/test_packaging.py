"""The package is `shoal` alone: in the interpreter, in a logged model, in a wheel, and in a wheel from the sdist.

The folders kernels/ and pipeline/ are packages below it, by links in shoal/. A package of either name may be installed
beside shoal, and models from before these names hold one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from shoal.kernels.ensemble import NetworkSpec, train
from shoal.kernels.network.architecture import Architecture
from tests import studies
from tests.made_up import SMALL, parent_of, write_results

ROOT = Path(__file__).parents[1]
EVERYTHING = """
import pkgutil, sys
from importlib import import_module
import shoal
names = [module.name for module in pkgutil.walk_packages(shoal.__path__, "shoal.")]
for name in names:
    import_module(name)
print(len(names), sorted(name for name in sys.modules if name.split(".")[0] in ("kernels", "pipeline")))
"""
ALONE = """
import sys
from importlib.util import find_spec
sys.path += {libraries!r}
assert not any(map(find_spec, ("shoal", "kernels", "pipeline"))), "this test needs an environment without them"
sys.path[:0] = {first!r}
"""
"""What a script without site-packages begins with, to have the libraries but not what is installed as a link."""
TRAINED = """
import numpy as np
import shoal
from shoal.kernels.ensemble import NetworkSpec, train
from shoal.kernels.network.architecture import Architecture
import shoal.pipeline.study.check
x = np.linspace(-1.0, 1.0, 40)[:, None]
spec = NetworkSpec(Architecture.parse("dense 5 > tanh > dense 1"), "assignment", 0, learning_rate=0.1, steps=20)
print(shoal.__file__, train([spec], x, np.sin(x), seed=1)[0].params.tobytes().hex())
"""
SERVED = """
import warnings
warnings.simplefilter("ignore")
import pandas as pd
from mlflow import pyfunc
model = pyfunc.load_model({folder!r})
print(model.predict(pd.DataFrame({{"x": [0.5, 2.5]}}))["y_predicted"].tolist())
"""
X = np.array([[0.5], [2.5]])


def run(script: str, *flags: str) -> str:
    """What a script prints last, in a process of its own that begins in the repository."""
    done = subprocess.run([sys.executable, *flags, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def run_alone(script: str, *first: Path) -> str:
    """The same where neither the repository nor an installed shoal can be imported, but what is in these folders."""
    libraries = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    return run(ALONE.format(libraries=libraries, first=list(map(str, first))) + script, "-I", "-S")


def test_all_modules_are_imported_under_one_name() -> None:
    """With the repository on the path, from where the bare names can be imported too."""
    n_modules, bare = run(EVERYTHING).split(maxsplit=1)
    assert int(n_modules) > 150
    assert bare == "[]"


# --- logged models --------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_a_logged_model_is_served_where_there_is_no_shoal(root: Path) -> None:
    from shoal.pipeline.tracking import track

    paths = write_results(root, {"sizes": SMALL})
    track(paths, ["sizes"])
    model = parent_of(paths, "sizes").data.tags["shoal.model"].removeprefix("models:/")
    folder = paths.mlflow_artifacts / "sizes" / "models" / model / "artifacts"
    got = run_alone(SERVED.format(folder=str(folder)))
    want = studies.forward("dense 5 > relu > dense 1", np.arange(1, 17) / 10, (X - 0.5) / 2.0) * 2.0 + 0.5
    np.testing.assert_allclose(json.loads(got), want[:, 0], rtol=1e-12)


OLD_SERVED = """
import json
from pathlib import Path
import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from kernels.architecture import Architecture
from kernels.ensemble import predict

class Network(PythonModel):
    def load_context(self, context):
        content = json.loads(Path(context.artifacts["network"]).read_text(encoding="utf-8"))
        self.architecture, self.params = Architecture.parse(content["architecture"]), np.array(content["params"])

    def predict(self, context, model_input, params=None):
        y_hat = predict(self.architecture, self.params, model_input[["x"]].to_numpy(np.float64))
        return pd.DataFrame(y_hat, columns=["y_predicted"])

set_model(Network())
"""
OLD_KERNELS = {
    "__init__.py": "",
    "architecture.py": "class Architecture:\n    parse = staticmethod(str)\n",
    "ensemble.py": "def predict(architecture, params, x):\n    return x * params[0] + params[1]\n",
}
"""As much of them as the model asks for: of 'dense 1', whose parameters are W and b."""


def old_model(folder: Path) -> Path:
    """A model as it was logged when the packages were `kernels` and `pipeline`, with the former as its code."""
    flavor = {"artifacts": {"network": {"path": "artifacts/network.json", "uri": "network.json"}}, "code": "code"}
    flavor |= {"loader_module": "mlflow.pyfunc.loaders.code_model", "model_code_path": "served.py"}
    flavor |= {"python_version": ".".join(map(str, sys.version_info[:3])), "streamable": False}
    network = {"architecture": "dense 1", "params": [3.0, 0.25]}
    files = {f"code/kernels/{name}": text for name, text in OLD_KERNELS.items()} | {"served.py": OLD_SERVED}
    files |= {
        "artifacts/network.json": json.dumps(network),
        "MLmodel": json.dumps({"flavors": {"python_function": flavor}}),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_model_logged_before_the_packages_had_their_names_still_loads(tmp_path: Path) -> None:
    """In the repository, whose own kernels are in use and whose folder has the name that the model asks for."""
    script = "import shoal.kernels.ensemble, shoal.pipeline.tracking\n" + SERVED.format(folder=str(old_model(tmp_path)))
    assert json.loads(run(script)) == [1.75, 7.75]


# --- the lock file -------------------------------------------------------------------------------------------------


def test_every_package_of_the_lock_file_has_one_version_hashes_and_no_address() -> None:
    """All that shoal needs, and what builds it, as pip asks for with --require-hashes."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace(" \\\n", "").splitlines()
    pins = [line.split() for line in lines if line and not line.startswith("#")]
    for name, *hashes in pins:
        assert re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.+]*", name)
        assert hashes and all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", own) for own in hashes), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {
        re.split("[<>=]", need)[0].replace(".", "-")
        for need in project["dependencies"] + project["optional-dependencies"]["dev"]
    }
    assert wanted <= {name.split("==")[0] for name, *_ in pins}


# --- wheel and sdist ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def sources() -> set[str]:
    """The package's files, as paths below the repository with shoal/ in front."""
    folders = (ROOT / "shoal" / name for name in ("kernels", "pipeline"))
    files = {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.rglob("*") if path.is_file()}
    return {"shoal/__init__.py", *(name for name in files if "__pycache__" not in name)}


def test_the_wheel_holds_shoal_alone_and_all_of_it(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if ".dist-info/" not in name} == sources()
    entry = next(name for name in names if name.endswith("entry_points.txt"))
    assert "shoal = shoal.pipeline.terminal.cli:main" in zipfile.ZipFile(wheel).read(entry).decode()


def test_the_sdist_holds_what_the_wheel_needs(built: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert not any(member.issym() or member.islnk() for member in archive.getmembers())
    assert names - sources() == {"pyproject.toml", "PKG-INFO", "README.md", "LICENSE", ".gitignore"}
    assert names >= sources()


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_what_is_installed_trains_a_network_to_the_same_bits(kind: str, built: Path, tmp_path: Path) -> None:
    [package] = built.glob(kind)
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--no-compile"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", str(tmp_path), str(package)]
    subprocess.run(command, check=True, capture_output=True)
    file, bits = run_alone(TRAINED, tmp_path).split()
    assert Path(file) == tmp_path / "shoal" / "__init__.py"
    x = np.linspace(-1.0, 1.0, 40)[:, None]
    spec = NetworkSpec(Architecture.parse("dense 5 > tanh > dense 1"), "assignment", 0, learning_rate=0.1, steps=20)
    assert bits == train([spec], x, np.sin(x), seed=1)[0].params.tobytes().hex()
