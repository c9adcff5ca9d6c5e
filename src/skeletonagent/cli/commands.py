"""Table of all commands: where each is defined, and what help says of it in one line."""

from __future__ import annotations

from skeletonagent.cli.lazy_group import CommandTable, LazyCommand, LazySubgroup

_CLI = "skeletonagent.cli"

COMMANDS: CommandTable = {
    "demo": LazyCommand(
        f"{_CLI}.demo",
        "demo",
        "Train without and with the agents on generated actions that look alike, and compare.",
    ),
    "train": LazyCommand(
        f"{_CLI}.train",
        "train_command",
        "Train a recognizer with guidance from its agents, and test it once at the end.",
    ),
    "pretrain": LazyCommand(
        f"{_CLI}.pretrain",
        "pretrain_command",
        "Train a base on archives and generated motions, for trainings on few clips to begin with.",
    ),
    "baseline": LazyCommand(
        f"{_CLI}.baseline",
        "baseline_command_line",
        "Say what methods without deep learning reach on an archive, in under a minute.",
    ),
    "evaluate": LazyCommand(
        f"{_CLI}.evaluate",
        "evaluate",
        "Evaluate a trained recognizer on the test set, or on segments of recordings.",
    ),
    "predict": LazyCommand(
        f"{_CLI}.predict",
        "predict_files",
        "Predict the action of samples that have no labels, or find the actions in recordings.",
    ),
    "merge-predictions": LazyCommand(
        f"{_CLI}.predict_large",
        "merge_command",
        "Merge the parts that 'predict --out' wrote into one file.",
    ),
    "export": LazyCommand(
        f"{_CLI}.export",
        "export_command",
        "Export a trained recognizer for other software, checked against PyTorch.",
    ),
    "page": LazyCommand(
        f"{_CLI}.page",
        "page_command",
        "Write the page as one file, in which a recognizer runs without a server.",
    ),
    "serve": LazyCommand(
        f"{_CLI}.serve",
        "serve_command",
        "Serve a recognizer over HTTP: predictions, streams, and a page to try it on.",
    ),
    "push": LazyCommand(
        f"{_CLI}.hub",
        "push_command",
        "Upload a recognizer to the Hugging Face Hub: exported file, weights and model card.",
    ),
    "pull": LazyCommand(
        f"{_CLI}.hub",
        "pull_command",
        "Download a recognizer from the Hugging Face Hub, and check it before it is used.",
    ),
    "ensemble": LazyCommand(
        f"{_CLI}.ensemble",
        "ensemble",
        "Fuse runs on different streams of the same data, as the paper's ensembles do.",
    ),
    "ablate": LazyCommand(
        f"{_CLI}.ablate",
        "ablate",
        "Train each recipe of a study with several seeds, and compare them with the baseline.",
    ),
    "curve": LazyCommand(
        f"{_CLI}.curve",
        "curve",
        "Train with few and with more clips of a class, and say what more clips would bring.",
    ),
    "report": LazyCommand(
        f"{_CLI}.report",
        "report",
        "Write a page about runs: accuracies, confusions, what the agents said, clips to play.",
    ),
    "convert-checkpoint": LazyCommand(
        f"{_CLI}.checkpoints",
        "convert_checkpoint",
        "Convert a checkpoint of the authors' released code into a run that can be evaluated.",
    ),
    "data": LazySubgroup(
        "Import, convert, download and inspect skeleton data.",
        {
            "list": LazyCommand(
                f"{_CLI}.data",
                "list_archives",
                "List the generated data set and the archives below a folder.",
            ),
            "check": LazyCommand(
                f"{_CLI}.data",
                "check_archive",
                "Inspect an archive: counts, splits, and what is odd about it.",
            ),
            "view": LazyCommand(
                f"{_CLI}.data_view",
                "view_data",
                "Write a page that plays clips as they are stored, frame by frame.",
            ),
            "convert": LazyCommand(
                f"{_CLI}.convert", "convert", "Convert a public data set into a skeleton archive."
            ),
            "import": LazyCommand(
                f"{_CLI}.data_import",
                "import_data",
                "Import recordings of any keypoint format into an archive.",
            ),
            "download": LazyCommand(
                f"{_CLI}.convert",
                "download_dataset",
                "Download a public data set, or say where it is available.",
            ),
        },
    ),
    "actions": LazySubgroup(
        "Teach a trained run actions from a few examples or words, without a training.",
        {
            "add": LazyCommand(
                f"{_CLI}.actions",
                "add",
                "Teach a run an action from one to five examples, a description or both; "
                "'predict' knows it.",
            ),
            "list": LazyCommand(
                f"{_CLI}.actions",
                "list_added",
                "List the actions that were added to a run, and what they are made of.",
            ),
            "remove": LazyCommand(
                f"{_CLI}.actions", "remove", "Take away an action that was added to a run."
            ),
        },
    ),
    "pose": LazySubgroup(
        "Find the joints of people in videos.",
        {
            "fetch": LazyCommand(
                f"{_CLI}.pose", "fetch", "Fetch the pose models into your cache, once."
            ),
            "estimate": LazyCommand(
                f"{_CLI}.pose",
                "estimate_video",
                "Find the joints of the people in a video, and write them as a keypoint file.",
            ),
        },
    ),
    "dialogues": LazySubgroup(
        "Look at the dialogues of agents and language model.",
        {
            "show": LazyCommand(
                f"{_CLI}.show",
                "show",
                "Show the dialogue about a class, and which joints became salient.",
            ),
            "check": LazyCommand(
                f"{_CLI}.dialogues",
                "check_dialogues",
                "Count what is odd about the answers, and how the validator judges them.",
            ),
            "claims": LazyCommand(
                f"{_CLI}.dialogues",
                "show_claims",
                "Count the claims of the latest answers, and what the training clips say of them.",
            ),
            "ping": LazyCommand(
                f"{_CLI}.ping",
                "ping",
                "Ask a language model one question: whether the key, the model and its answers "
                "are usable.",
            ),
            "estimate": LazyCommand(
                f"{_CLI}.estimate",
                "estimate",
                "Count questions, tokens and dollars of a training before anything is spent.",
            ),
            "export": LazyCommand(
                f"{_CLI}.dialogues",
                "export",
                "Write the guidance that comes with the package as dialogues, answers checked.",
            ),
            "import": LazyCommand(
                f"{_CLI}.dialogues",
                "import_dialogues",
                "Import the dialogues published with the paper, answers checked and repaired.",
            ),
        },
    ),
    "config": LazySubgroup(
        "Look at the configuration of a run before it is trained.",
        {
            "show": LazyCommand(
                f"{_CLI}.configs",
                "show_config",
                "Print the resolved configuration of a preset or a file.",
            ),
        },
    ),
    "runs": LazySubgroup(
        "Look at training runs.",
        {
            "list": LazyCommand(f"{_CLI}.runs", "list_runs", "List the runs below a folder."),
            "show": LazyCommand(
                f"{_CLI}.runs",
                "show_run",
                "Show a run: configuration, last metrics, and the latest guidance.",
            ),
        },
    ),
}
