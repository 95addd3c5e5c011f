"""A params.yaml without a fault, and edits of it that each make one, with the message it gets."""

from __future__ import annotations

from shoal.kernels.network.architecture import ACTIVATIONS
from shoal.kernels.network.laws import INITIALISERS
from shoal.pipeline.hyperparameters import KEYS, LOSSES, METHODS

NAMES = ", ".join(ACTIVATIONS)

GOOD = """\
seed: 9001
dtype: float64
data:
  source: function
  path: input/table.csv
  targets: [u, v]
  features: null
  fractions: {train: 0.6, validation: 0.2, test: 0.2}
  split_seed: 0
  standardise: true
tracking: {granularity: network}
sweeps:
  sizes:
    activation: [relu, tanh]
    depth: [1, 2]
    width: [5, 10]
    learning_rate: {relu: 0.02, tanh: [0.01, 0.03]}
    steps: 500
    replicates: 20
  batch:
    optimizer: adam
    activation: relu
    depth: 2
    width: 50
    batch_size: [1, 10, full]
    learning_rate: 0.02
    epochs: 30
  ridge:
    optimizer: ridge
    activation: [relu, linear]
    hidden_sizes: [[5], [10, 3]]
    alpha: 0.1
  stream:
    activation: tanh
    depth: 2
    width: 100
    learning_rate: 0.02
    steps: 500
    init: assignment-stream
  branches:
    architecture: {scalar: "(dense 1|relu > dense 1)", deep: dense 10 > relu}
    learning_rate: 0.02
    steps: 500
"""
"""A file without a fault that has every kind of block."""

SHAPES = "activation, depth, width, hidden_sizes, architecture"
SWEEP_KEYS = f"{SHAPES}, optimizer, {', '.join(KEYS)}, init, bias, omega_0, replicates"
OPTIMIZERS = ", ".join(METHODS)
SCHEDULES = "constant, step, exponential, cosine"
COUNTS = "whole numbers of 1 or more"
RATES = "finite numbers above 0"
SEEDS = "a whole number from 0 to 4294967295"
FORM = "splits, ignore, id, missing, missing_values, separator, decimal, thousands, encoding, header_row, task"
DATA_KEYS = (
    "a mapping with the keys source, path, train, validation, test, targets, features, fractions, split_seed, "
    f"standardise, {FORM}"
)

ADDRESSES = "HOST:PORT or tcp://HOST:PORT of a Dask scheduler; or local, for a cluster of its own"

ACCEPTANCE = [
    ("    replicates: 20", "    replicats: 20",
     f"sweeps.sizes.replicats: found an unknown key; allowed: {SWEEP_KEYS}; did you mean 'replicates'?"),
    ("width: [5, 10]", "width: [5, -5]", f"sweeps.sizes.width[1]: found -5; allowed: {COUNTS}"),
    ("activation: [relu, linear]", "activation: [relu, liner]",
     f"sweeps.ridge.activation[1]: found 'liner'; allowed: {NAMES}"),
    ("width: 50", "width: fifty", f"sweeps.batch.width: found 'fifty'; allowed: {COUNTS}"),
    ("depth: [1, 2]", "depth: []", "sweeps.sizes.depth: found []; allowed: a list with at least one value"),
    ("    epochs: 30", "    epochs: 30\n    epochs: 40",
     "sweeps.batch.epochs: found the key a second time, in line 28; allowed: each key once (the first is in line 27)"),
    ("tanh: [0.01, 0.03]", "tanh: [0.01, .nan]", f"sweeps.sizes.learning_rate.tanh[1]: found nan; allowed: {RATES}"),
    ("  branches:", "  bran/ches:",
     "sweeps.bran/ches: found 'bran/ches'; allowed: names of letters (a to z), digits, - and _, with a letter or digit "
     "first"),
]  # fmt: skip
"""Bad configurations, as an edit of GOOD, and their messages; the later keys stand on later lines."""

SINGLE = [
    ("seed: 9001", "seed: -1", f"seed: found -1; allowed: {SEEDS}"),
    ("seed: 9001", "seed: '9001'", f"seed: found '9001'; allowed: {SEEDS}"),
    ("seed: 9001\n", "", f"seed: found nothing; allowed: {SEEDS}"),
    ("dtype: float64", "dtype: float16", "dtype: found 'float16'; allowed: float64, float32"),
    ("granularity: network", "granularity: networks", "tracking.granularity: found 'networks'; allowed: cell, network"),
    ("{granularity: network}", "{granularity: cell, experiment: a b}",
     "tracking.experiment: found 'a b'; allowed: names of "
     "letters (a to z), digits, - and _, with a letter or digit first"),
    ("tracking: {granularity: network}\n", "",
     "tracking: found nothing; allowed: a mapping with the keys granularity, experiment"),
    ("dtype: float64", "dtype: float64\nthreads: 4",
     "threads: found an unknown key; allowed: seed, dtype, data, tracking, report, choose, interval, execution, "
     "sweeps"),
    ("  standardise: true", "  standardise: true\n  decimal: ','\n  thousands: ','",
     "data.thousands: found ','; allowed: null, or another mark than data.decimal"),
    ("dtype: float64", "dtype: float64\nexecution: {engine: slurm}",
     "execution.engine: found 'slurm'; allowed: local, dask"),
    ("dtype: float64", "dtype: float64\nexecution: {engine: dask, address: 10.0.0.1}",
     f"execution.address: found '10.0.0.1'; allowed: {ADDRESSES}"),
    ("dtype: float64", "dtype: float64\nexecution: {engine: dask, address: tcp://a/b:80000}",
     f"execution.address: found 'tcp://a/b:80000'; allowed: {ADDRESSES}"),
    ("dtype: float64", "dtype: float64\nexecution: {engine: dask}",
     f"execution: found {{'engine': 'dask'}}; allowed: an address beside engine dask: {ADDRESSES}"),
    ("dtype: float64", "dtype: float64\nexecution: {address: local}",
     "execution: found {'address': 'local'}; allowed: no address for engine local; it is for dask"),
    ("source: function", "source: url", "data.source: found 'url'; allowed: function, file"),
    ("source: function\n", "sorce: function\n", "data.sorce: found an unknown key; allowed: source, path, train, "
     "validation, test, targets, features, fractions, split_seed, standardise, " + FORM + "; did you mean 'source'?"),
    ("  path: input/table.csv\n", "", "data: found no path; allowed: path, a file with all rows; or "
     "train and test, a file each, and validation where there is one"),
    ("  path: input/table.csv\n", "  train: a.csv\n  test: b.csv\n", "data: found fractions of train, validation and "
     "test; allowed: shares of train and validation in data.fractions, and of calibration where there is an interval; "
     "train and test is what rows come from"),
    ("targets: [u, v]", "targets: u", "data.targets: found 'u'; allowed: a list of column names"),
    ("targets: [u, v]", "targets: [u, 3]", "data.targets[1]: found 3; allowed: a list of column names"),
    ("features: null", "features: [x, v]",
     "data.features: found ['x', 'v']; allowed: columns that are not among the targets"),
    ("test: 0.2", "test: 0.3", "data.fractions: found {'train': 0.6, 'validation': 0.2, 'test': 0.3}; allowed: train, "
     "validation and test that sum to 1"),
    ("test: 0.2", "test: 0", f"data.fractions.test: found 0; allowed: {RATES}"),
    ("standardise: true", "standardise: yes", "data.standardise: found 'yes'; allowed: true, false"),
    ("width: [5, 10]", "width: [5, 5]",
     "sweeps.sizes.width: found [5, 5]; allowed: a list in which no value comes twice"),
    ("width: [5, 10]", "width: [5, true]", f"sweeps.sizes.width[1]: found true; allowed: {COUNTS}"),
    ("width: [5, 10]", "width:", f"sweeps.sizes.width: found null; allowed: {COUNTS}"),
    ("width: [5, 10]", "width: {relu: 5, tanh: 10}",
     f"sweeps.sizes.width: found {{'relu': 5, 'tanh': 10}}; allowed: {COUNTS}"),
    ("    width: [5, 10]\n", "", f"sweeps.sizes.width: found nothing; allowed: {COUNTS}"),
    ("    depth: [1, 2]\n", "", f"sweeps.sizes.depth: found nothing; allowed: {COUNTS}"),
    ("    activation: tanh\n", "", f"sweeps.stream.activation: found nothing; allowed: {NAMES}"),
    ("hidden_sizes: [[5], [10, 3]]", "hidden_sizes: [10, 3]",
     f"sweeps.ridge.hidden_sizes: found [10, 3]; allowed: a list of lists of {COUNTS}, such as [[100, 100], [50]]"),
    ("hidden_sizes: [[5], [10, 3]]", "hidden_sizes: [[5], [10, 0]]", "sweeps.ridge.hidden_sizes[1][1]: found 0; "
     f"allowed: a list of lists of {COUNTS}, such as [[100, 100], [50]]"),
    ("hidden_sizes: [[5], [10, 3]]", "hidden_sizes: [[5]]\n    width: 5",
     "sweeps.ridge.width: found 5; allowed: nothing beside hidden_sizes"),
    ("batch_size: [1, 10, full]", "batch_size: [1, Full]",
     f"sweeps.batch.batch_size[1]: found 'Full'; allowed: {COUNTS}, or full"),
    ("batch_size: [1, 10, full]", "batch_size: 0", f"sweeps.batch.batch_size: found 0; allowed: {COUNTS}, or full"),
    ("epochs: 30", "epochs: 3e2", f"sweeps.batch.epochs: found 300.0; allowed: {COUNTS}"),
    ("epochs: 30", "epochs: 30\n    steps: 9", "sweeps.batch.epochs: found 30; allowed: nothing beside steps"),
    ("    epochs: 30\n", "", f"sweeps.batch.steps: found nothing; allowed: {COUNTS}"),
    ("epochs: 30", "epochs: 30\n    alpha: 0.1",
     "sweeps.batch.alpha: found 0.1; allowed: nothing, unless optimizer is ridge"),
    ("    alpha: 0.1\n", "", f"sweeps.ridge.alpha: found nothing; allowed: {RATES}"),
    ("alpha: 0.1", "alpha: 0.1\n    learning_rate: 0.1",
     "sweeps.ridge.learning_rate: found 0.1; allowed: nothing, as optimizer is ridge"),
    ("alpha: 0.1", "alpha: 0.1\n    batch_size: full",
     "sweeps.ridge.batch_size: found 'full'; allowed: nothing, as optimizer is ridge"),
    ("epochs: 30", "epochs: 30\n    schedule: cosin",
     f"sweeps.batch.schedule: found 'cosin'; allowed: {SCHEDULES}"),
    ("epochs: 30", "epochs: 30\n    schedule: [constant, cosin]\n    gamma: 0.5",
     f"sweeps.batch.schedule[1]: found 'cosin'; allowed: {SCHEDULES}"),
    ("epochs: 30", "epochs: 30\n    schedule: {relu: cosine}",
     f"sweeps.batch.schedule: found {{'relu': 'cosine'}}; allowed: {SCHEDULES}"),
    ("epochs: 30", "epochs: 30\n    gamma: 0.5",
     "sweeps.batch.gamma: found 0.5; allowed: nothing, unless schedule is step or exponential"),
    ("epochs: 30", "epochs: 30\n    schedule: [exponential, cosine]\n    gamma: 0.5\n    every: 3",
     "sweeps.batch.every: found 3; allowed: nothing, unless schedule is step"),
    ("epochs: 30", "epochs: 30\n    schedule: [constant, step]",
     f"sweeps.batch.every: found nothing; allowed: {COUNTS}"),
    ("epochs: 30", "epochs: 30\n    schedule: exponential", f"sweeps.batch.gamma: found nothing; allowed: {RATES}"),
    ("epochs: 30", "epochs: 30\n    schedule: [constant, step]\n    every: [2, 3]", "sweeps.batch.every: found [2, 3]; "
     "allowed: one value instead of a list, as only step of the schedules of the block takes it"),
    ("epochs: 30", "epochs: 30\n    schedule: step\n    every: 0",
     f"sweeps.batch.every: found 0; allowed: {COUNTS}"),
    ("epochs: 30", "epochs: 30\n    warmup: [0, -1]",
     "sweeps.batch.warmup[1]: found -1; allowed: whole numbers from 0 on"),
    ("epochs: 30", "epochs: 30\n    l2: -0.1", "sweeps.batch.l2: found -0.1; allowed: finite numbers from 0 on"),
    ("epochs: 30", "epochs: 30\n    weight_decay: .inf",
     "sweeps.batch.weight_decay: found inf; allowed: finite numbers from 0 on"),
    ("epochs: 30", "epochs: 30\n    clip_norm: 0", f"sweeps.batch.clip_norm: found 0; allowed: {RATES}"),
    ("epochs: 30", "epochs: 30\n    beta_1: 1", "sweeps.batch.beta_1: found 1; allowed: numbers from 0 on, below 1"),
    ("epochs: 30", "epochs: 30\n    epsilon: 0", f"sweeps.batch.epsilon: found 0; allowed: {RATES}"),
    ("epochs: 30", "epochs: 30\n    decay: 0.9",
     "sweeps.batch.decay: found 0.9; allowed: nothing, unless optimizer is rmsprop"),
    ("steps: 500\n    init", "steps: 500\n    beta_2: 0.9\n    init",
     "sweeps.stream.beta_2: found 0.9; allowed: nothing, unless optimizer is adam or adamw"),
    ("alpha: 0.1", "alpha: 0.1\n    schedule: cosine",
     "sweeps.ridge.schedule: found 'cosine'; allowed: nothing, as optimizer is ridge"),
    ("alpha: 0.1", "alpha: 0.1\n    gamma: 0.1",
     "sweeps.ridge.gamma: found 0.1; allowed: nothing, as optimizer is ridge"),
    ("optimizer: ridge", "optimizer: [ridge]", f"sweeps.ridge.optimizer: found ['ridge']; allowed: {OPTIMIZERS}"),
    ("optimizer: ridge", "optimizer: sgd", f"sweeps.ridge.optimizer: found 'sgd'; allowed: {OPTIMIZERS}"),
    ("alpha: 0.1", "alpha: {relu: 0.1}", f"sweeps.ridge.alpha.linear: found nothing; allowed: {RATES}"),
    ("{relu: 0.02, tanh: [0.01, 0.03]}", "{relu: 0.02, tahn: 0.01}", "sweeps.sizes.learning_rate.tahn: found 'tahn'; "
     "allowed: the activations of the block: relu, tanh; did you mean 'tanh'?"),
    ("{relu: 0.02, tanh: [0.01, 0.03]}", "{all: 0.02}", "sweeps.sizes.learning_rate.all: found 'all'; "
     "allowed: the activations of the block: relu, tanh"),
    ("{relu: 0.02, tanh: [0.01, 0.03]}", "{relu: 0.02, tanh: -.inf}",
     f"sweeps.sizes.learning_rate.tanh: found -inf; allowed: {RATES}"),
    ("steps: 500\n    init", "setps: 500\n    init",
     f"sweeps.stream.setps: found an unknown key; allowed: {SWEEP_KEYS}; did you mean 'steps'?"),
    ("epochs: 30", "epochs: 30\n    colour: red", f"sweeps.batch.colour: found an unknown key; allowed: {SWEEP_KEYS}"),
    ("epochs: 30", "epochs: 30\n    loss: hubert",
     f"sweeps.batch.loss: found 'hubert'; allowed: {', '.join(LOSSES)}"),
    ("epochs: 30", "epochs: 30\n    loss: [squared, hubert]\n    delta: 0.5",
     f"sweeps.batch.loss[1]: found 'hubert'; allowed: {', '.join(LOSSES)}"),
    ("epochs: 30", "epochs: 30\n    delta: 0.5",
     "sweeps.batch.delta: found 0.5; allowed: nothing, unless loss is huber"),
    ("epochs: 30", "epochs: 30\n    loss: huber\n    delta: 0", f"sweeps.batch.delta: found 0; allowed: {RATES}"),
    ("epochs: 30", "epochs: 30\n    loss: [absolute, huber]\n    delta: [0.5, 1]",
     "sweeps.batch.delta: found [0.5, 1]; allowed: one value, as loss is not huber alone; or a sweep of its own for "
     "huber"),
    ("epochs: 30", "epochs: 30\n    loss: quantile\n    quantile: 1",
     "sweeps.batch.quantile: found 1; allowed: numbers between 0 and 1, neither of the two"),
    ("epochs: 30", "epochs: 30\n    keep: first", "sweeps.batch.keep: found 'first'; allowed: last, best"),
    ("epochs: 30", "epochs: 30\n    keep: [last, best]\n    patience: 3", "sweeps.batch.keep: found ['last', 'best']; "
     "allowed: best, as patience keeps the parameters of the lowest validation cost"),
    ("epochs: 30", "epochs: 30\n    patience: 0\n    min_delta: 0.1",
     f"sweeps.batch.patience: found 0; allowed: {COUNTS}"),
    ("epochs: 30", "epochs: 30\n    keep: best\n    min_delta: 0.1",
     "sweeps.batch.min_delta: found 0.1; allowed: nothing, unless patience is given"),
    ("epochs: 30", "epochs: 30\n    patience: 3\n    min_delta: -1",
     "sweeps.batch.min_delta: found -1; allowed: finite numbers from 0 on"),
    ("epochs: 30", "epochs: 30\n    validate_every: 5",
     "sweeps.batch.validate_every: found 5; allowed: nothing, unless patience is given or keep is best"),
    ("batch_size: [1, 10, full]", "batch_size: [1, 10]\n    patience: 3\n    validate_every: 5",
     "sweeps.batch.validate_every: found 5; allowed: nothing, unless batch_size is full: mini-batches are validated "
     "after every epoch"),
    ("alpha: 0.1", "alpha: 0.1\n    patience: 3",
     "sweeps.ridge.patience: found 3; allowed: nothing, as optimizer is ridge"),
    ("alpha: 0.1", "alpha: 0.1\n    loss: huber",
     "sweeps.ridge.loss: found 'huber'; allowed: nothing, as optimizer is ridge"),
    ("init: assignment-stream", "init: zeros",
     f"sweeps.stream.init: found 'zeros'; allowed: {', '.join(INITIALISERS)}"),
    ("init: assignment-stream", "init: assignment-stream\n    bias: zero",
     "sweeps.stream.bias: found 'zero'; allowed: nothing, as init is assignment-stream"),
    ("epochs: 30", "epochs: 30\n    init: siren\n    omega_0: 0",
     "sweeps.batch.omega_0: found 0; allowed: a finite number above 0"),
    ("epochs: 30", "epochs: 30\n    init: he_normal\n    omega_0: 30",
     "sweeps.batch.omega_0: found 30; allowed: nothing, unless init is siren"),
    ("epochs: 30", "epochs: 30\n    init: he_normal\n    bias: one",
     "sweeps.batch.bias: found 'one'; allowed: zero, uniform"),
    ("depth: 2\n    width: 100", "depth: [2, 3]\n    width: 100",
     "sweeps.stream.depth: found [2, 3]; allowed: 2, as init is assignment-stream"),
    ("width: 100", "width: 50", "sweeps.stream.width: found 50; allowed: 100, as init is assignment-stream"),
    ("depth: 2\n    width: 100", "hidden_sizes: [[100]]",
     "sweeps.stream.hidden_sizes: found [[100]]; allowed: [[100, 100]], as init is assignment-stream"),
    ("activation: tanh", "activation: sigmoid",
     "sweeps.stream.activation: found 'sigmoid'; allowed: relu, linear, tanh, as init is assignment-stream"),
    ("source: function", "source: file",
     "sweeps.stream.init: found 'assignment-stream'; allowed: assignment, as data.source is file"),
    ("deep: dense 10 > relu}", "deep: dense 10}\n    init: assignment-stream",
     "sweeps.branches.init: found 'assignment-stream'; allowed: assignment, as the block has an architecture"),
    ("deep: dense 10 > relu}", "deep: dense 10}\n    depth: 1",
     "sweeps.branches.depth: found 1; allowed: nothing beside architecture"),
    ("deep: dense 10 > relu", "deep: dense 10 > relo", "sweeps.branches.architecture.deep: found 'dense 10 > relo', "
     f"where 'relo' is not a layer; allowed: 'dense N' with N >= 1, {NAMES}, 'dropout P' with 0 < P < 1, 'skip' as a "
     "whole branch"),
    ("deep: dense 10 > relu", 'deep: "(dense 1"', "sweeps.branches.architecture.deep: found '(dense 1', where "
     "'(dense 1': the branches' opening '(' is never closed; allowed: layers such as 'dense 10 > relu', or branches in "
     "brackets: '(dense 1 | relu > dense 1) > tanh'"),
    ("deep: dense 10 > relu", 'deep: "(dense 2 | relu)"', "sweeps.branches.architecture.deep: found "
     "'(dense 2 | relu)', where branches end with [1, 2] units in '(dense 2 | relu)'; allowed: branches that end with "
     "equally many units, as they are summed (those without a dense layer end with what goes in, at first as there are "
     "features, 1)"),
    ("deep: dense 10 > relu", 'deep: "dense 3 > (skip | dense 4)"', "sweeps.branches.architecture.deep: found "
     "'dense 3 > (skip | dense 4)', where branches end with [3, 4] units in '(skip | dense 4)'; allowed: branches that "
     "end with equally many units, as they are summed (those without a dense layer end with what goes in, at first as "
     "there are features, 1)"),
    ("deep: dense 10 > relu", 'deep: "(dense 2 | relu & skip)"', "sweeps.branches.architecture.deep: found "
     "'(dense 2 | relu & skip)', where '(dense 2 | relu & skip)': branches with | and & between them; allowed: one of "
     "them, or inner brackets"),
    ("deep: dense 10 > relu", 'deep: "(dense 1 | relu > dense  1)"', "sweeps.branches.architecture: found {'scalar': "
     "'(dense 1|relu > dense 1)', 'deep': '(dense 1 | relu > dense  1)'}; allowed: each network under one name only"),
    ("deep: dense 10 > relu", "deep net: dense 10 > relu", "sweeps.branches.architecture.'deep net': found 'deep net'; "
     "allowed: names of letters (a to z), digits, - and _, with a letter or digit first"),
    ("deep: dense 10 > relu}\n    learning_rate: 0.02", "deep: dense 10 > relu}\n    learning_rate: {relu: 1}",
     "sweeps.branches.learning_rate: found {'relu': 1}; allowed: a value or a list, as the block has no activation"),
]  # fmt: skip
"""One fault each, some of which only show where another key is right."""

WHOLE = [
    ("", "found nothing; allowed: a mapping with the keys seed, dtype, data, tracking, report, choose, "
     "interval, execution, sweeps"),
    ("[1, two, null]",
     "found [1, 'two', None]; allowed: a mapping with the keys seed, dtype, data, tracking, report, choose, "
     "interval, execution, sweeps"),
    ("seed: [1\ndtype: 2", "line 2, column 6: found a fault in the YAML (while parsing a flow sequence: expected ',' "
     "or ']', but got ':'); allowed: YAML 1.2"),
    ("seed:\t1", "line 1, column 6: found a fault in the YAML (while scanning for the next token: found character "
     "'\\t' that cannot start any token); allowed: YAML 1.2"),
    ("seed: !special 1", "line 1: found the tag '!special'; allowed: values without tags, such as 3, true or [a, b]"),
    ("seed: 1\ndtype: !!bool x", "line 2: found the tag '!!bool'; allowed: values without tags, such as 3, true or "
     "[a, b]"),
    ("seed: !!python/object/apply:os.system [ls]", "line 1: found the tag '!!python/object/apply:os.system'; allowed: "
     "values without tags, such as 3, true or [a, b]"),
    ("seed: 1\n---\nseed: 2", "line 2, column 1: found a fault in the YAML (expected a single document in the stream: "
     "but found another document); allowed: YAML 1.2"),
    ("seed: 2001-99-99", "found a fault in the YAML (month must be in 1..12); allowed: YAML 1.2"),
    ("<<: 3", "line 1, column 5: found a fault in the YAML (while constructing a mapping: expected a mapping or list "
     "of mappings for merging, but found scalar); allowed: YAML 1.2"),
    ("seed: \x01", "found a fault in the YAML (unacceptable character #x0001: special characters are not allowed); "
     "allowed: YAML 1.2"),
    ("seed: &seed [*seed]",
     "found values nested without end; allowed: YAML 1.2, no alias inside the value of its own anchor"),
]  # fmt: skip


def edited(*edits: tuple[str, str, str], text: str = GOOD) -> str:
    """`text` with the first occurrence of each edit's first string replaced by its second."""
    for old, new, _ in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return text
