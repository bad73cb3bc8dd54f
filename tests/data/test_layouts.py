"""Each release in miniature, its files named as the real ones."""

import json
import shutil

import numpy as np
import pytest
from numbered_videos import numbered

from cpnet.data.decode import decode_frames
from cpnet.data.layouts import FLIP_PAIRS, NO_LABEL, Index, flip_label_map, read_index
from cpnet.data.loader import evaluation_batches, training_batches
from cpnet.data.videos import EvaluationViews, TrainingClips
from cpnet.standins import class_names
from cpnet.standins.encode import write_jpegs, write_mp4, write_webm

# YouTube ids may contain and begin with "_" and "-".
KINETICS_VAL = [
    ("air drumming", "-3cKuYD_x8I", 2, 12),
    ("abseiling", "0wR5jVB-WPk", 417, 427),
    ("zumba", "__NrybzYzUg", 0, 10),
    ("petting animal (not cat)", "3caPS4FHFF8", 36, 46),
    ("massaging person's head", "a_b-c_d-e_f", 1000, 1010),
]
CLASSES = ["abseiling", "air drumming", "massaging person's head", "petting animal (not cat)", "zumba"]


def name(video_id, start, end):
    return f"{video_id}_{start:06d}_{end:06d}.mp4"


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def write_kinetics_csv(path, rows, split="validate", is_cc=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = "label,youtube_id,time_start,time_end,split" + ",is_cc" * is_cc
    lines = [
        f'"{c}",{i},{s},{e},{split}' + ",0" * is_cc if " " in c else f"{c},{i},{s},{e},{split}" + ",0" * is_cc
        for c, i, s, e in rows
    ]
    path.write_text("\n".join([header, *lines]) + "\n")


def kinetics(root, layout):
    if layout == "cvdf":
        write_kinetics_csv(root / "annotations" / "val.csv", KINETICS_VAL)
    else:
        write_kinetics_csv(root / "kinetics_val.csv", KINETICS_VAL, is_cc=True)
    for c, *clip in KINETICS_VAL:
        folder = {"cvdf": "", "crawler": c, "underscores": c.replace(" ", "_")}[layout]
        touch(root / "val" / folder / name(*clip))
    return root


@pytest.mark.parametrize("layout", ["cvdf", "crawler", "underscores"])
def test_kinetics(tmp_path, layout):
    index = read_index("kinetics", kinetics(tmp_path, layout), "val")
    assert list(index.classes) == CLASSES
    assert [video.id for video in index.videos] == [i for _, i, _, _ in KINETICS_VAL]
    assert [index.classes[video.label] for video in index.videos] == [c for c, *_ in KINETICS_VAL]
    assert [video.path.name for video in index.videos] == [name(*clip) for _, *clip in KINETICS_VAL]
    assert not index.missing and not index.malformed and index.n_expected == 5
    assert index.summary() == "kinetics val: 5 listed, 5 found, 5 classes (the official release has 400)"


def test_classes_of_kinetics_are_those_of_all_splits(tmp_path):
    kinetics(tmp_path, "cvdf")
    write_kinetics_csv(tmp_path / "annotations" / "train.csv", [("brush painting", "aaaaaaaaaaa", 1, 11)], "train")
    touch(tmp_path / "train" / name("aaaaaaaaaaa", 1, 11))
    train, val = (read_index("kinetics", tmp_path, split) for split in ("train", "val"))
    assert train.classes == val.classes and len(train.classes) == 6
    assert train.classes[train.videos[0].label] == "brush painting"


def test_replacements_of_kinetics_are_matched_by_id(tmp_path):
    kinetics(tmp_path, "cvdf")
    replacement = tmp_path / "replacement" / "replacement_for_corrupted_k400" / "0wR5jVB-WPk_000417_000427.mp4"
    touch(replacement)
    (tmp_path / "val" / name("0wR5jVB-WPk", 417, 427)).unlink()
    other = replacement.with_name("__NrybzYzUg_000003_000013.mp4")  # beside the damaged one, with other times
    touch(other)
    paths = {video.id: video.path for video in read_index("kinetics", tmp_path, "val").videos}
    assert paths["0wR5jVB-WPk"] == replacement and paths["__NrybzYzUg"] == other
    assert len(paths) == 5


def test_kinetics_counts_what_is_missing_or_malformed(tmp_path):
    kinetics(tmp_path, "cvdf")
    (tmp_path / "val" / name(*KINETICS_VAL[2][1:])).unlink()
    with (tmp_path / "annotations" / "val.csv").open("a") as lines:
        lines.write("zumba,bbbbbbbbbbb,ten,20,validate\nzumba,ccccccccccc\n")
    index = read_index("kinetics", tmp_path, "val")
    assert [video.id for video in index.missing] == ["__NrybzYzUg"]
    assert len(index.videos) == 4 and index.n_expected == 7 and len(index.labels()) == 7
    assert len(index.malformed) == 2 and "val.csv, line 7" in index.malformed[0]
    assert "1 listed but not there: __NrybzYzUg at" in index.summary()
    assert "2 unusable rows" in index.summary()


def test_a_test_split_of_kinetics_may_have_no_labels(tmp_path):
    kinetics(tmp_path, "cvdf")
    (tmp_path / "annotations" / "test.csv").write_text("youtube_id,time_start,time_end,split\nzzzzzzzzzzz,1,11,test\n")
    touch(tmp_path / "test" / name("zzzzzzzzzzz", 1, 11))
    (video,) = read_index("kinetics", tmp_path, "test").videos
    assert video.label == NO_LABEL


TEMPLATES = [
    "Holding something next to something",
    "Pushing something from left to right",
    "Pushing something from right to left",
]


def something(root, family):
    names = {
        "20bn": "something-something-v2-{}.json".format,
        "qualcomm": "labels/{}.json".format,
    }[family]

    def write(part, content):
        path = root / names(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    write("labels", {template: str(i) for i, template in enumerate(TEMPLATES)})
    write(
        "validation",
        [
            {
                "id": "78687",
                "label": "holding potato next to vicks vaporub bottle",
                "template": "Holding [something] next to [something]",
                "placeholders": ["potato", "vicks vaporub bottle"],
            },
            {"id": "9", "label": "", "template": "Pushing [something] from right to left", "placeholders": ["cup"]},
        ],
    )
    write("test", [{"id": "100001"}, {"id": "100002"}])
    for video_id in ("78687", "9", "100001", "100002"):
        touch(root / "20bn-something-something-v2" / f"{video_id}.webm")
    return root


@pytest.mark.parametrize("family", ["20bn", "qualcomm"])
def test_something(tmp_path, family):
    index = read_index("something", something(tmp_path, family), "val")
    assert list(index.classes) == TEMPLATES
    assert [(video.id, video.label, video.path.name) for video in index.videos] == [
        ("78687", 0, "78687.webm"),
        ("9", 2, "9.webm"),
    ]


def test_labels_of_something_are_the_numbers_of_its_file(tmp_path):
    something(tmp_path, "20bn")
    order = {TEMPLATES[0]: "2", TEMPLATES[1]: "0", TEMPLATES[2]: "1"}
    (tmp_path / "something-something-v2-labels.json").write_text(json.dumps(order))
    assert [video.label for video in read_index("something", tmp_path, "val").videos] == [2, 1]


def test_answers_of_the_test_split_are_used_where_they_are(tmp_path):
    something(tmp_path, "qualcomm")
    assert [video.label for video in read_index("something", tmp_path, "test").videos] == [NO_LABEL, NO_LABEL]
    (tmp_path / "labels" / "test-answers.csv").write_text(f"100002;{TEMPLATES[1]}\n100001;{TEMPLATES[0]}\n")
    assert [video.label for video in read_index("something", tmp_path, "test").videos] == [0, 1]


def test_something_counts_what_is_missing_or_malformed(tmp_path):
    something(tmp_path, "20bn")
    file = tmp_path / "something-something-v2-validation.json"
    rows = [*json.loads(file.read_text()), {"id": "5", "template": "Eating [something]"}, {"template": TEMPLATES[0]}, 3]
    file.write_text(json.dumps(rows))
    (tmp_path / "20bn-something-something-v2" / "9.webm").unlink()
    index = read_index("something", tmp_path, "val")
    assert [video.id for video in index.videos] == ["78687"]
    assert [video.id for video in index.missing] == ["9"]
    assert len(index.malformed) == 3 and "unknown label 'Eating something'" in index.malformed[0]


GESTURES = ["Swiping Right", "Doing other things", "Swiping Left", "Thumb Up"]  # not in alphabetical order


def jester(root, family):
    names = {"20bn": "jester-v1-{}.csv".format, "qualcomm": "labels/{}.csv".format}[family]
    for part, content in (
        ("labels", GESTURES),
        ("train", ["34870;Swiping Left", "56557;Thumb Up", "129112;Doing other things"]),
        ("test", ["4", "7"]),
    ):
        path = root / names(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(content) + "\n")
    for video_id in (34870, 56557, 129112, 4, 7):
        touch(root / "20bn-jester-v1" / str(video_id) / "00001.jpg")
    return root


@pytest.mark.parametrize("family", ["20bn", "qualcomm"])
def test_jester(tmp_path, family):
    index = read_index("jester", jester(tmp_path, family), "train")
    assert list(index.classes) == sorted(GESTURES)
    assert [(video.id, index.classes[video.label]) for video in index.videos] == [
        ("34870", "Swiping Left"),
        ("56557", "Thumb Up"),
        ("129112", "Doing other things"),
    ]
    assert all(video.path.is_dir() for video in index.videos)
    assert [video.label for video in read_index("jester", tmp_path, "test").videos] == [NO_LABEL, NO_LABEL]


def test_jester_counts_what_is_missing_or_malformed(tmp_path):
    jester(tmp_path, "20bn")
    with (tmp_path / "jester-v1-train.csv").open("a") as lines:
        lines.write("11;Thumb Up\n12;Waving\n13\n;Thumb Up\n\n")
    index = read_index("jester", tmp_path, "train")
    assert [video.id for video in index.missing] == ["11"]
    assert [row.rsplit(": ", 1)[1] for row in index.malformed] == [
        "unknown label 'Waving'",
        "fill it in or remove the row",
        "no id",
    ]
    assert index.n_expected == 7


# What users do to them


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(("build", "split"), [(kinetics, "val"), (something, "val"), (jester, "train")])
def test_every_text_may_begin_with_a_byte_order_mark(tmp_path, build, split):
    build(tmp_path, {kinetics: "cvdf"}.get(build, "20bn"))
    plain = read_index(build.__name__, tmp_path, split)
    texts = [path for path in tmp_path.rglob("*") if path.suffix in (".csv", ".json")]
    for path in texts:
        path.write_bytes(BOM + path.read_bytes())
    marked = read_index(build.__name__, tmp_path, split)
    assert texts and (marked.classes, marked.videos) == (plain.classes, plain.videos)


@pytest.mark.parametrize(("build", "split"), [(kinetics, "val"), (something, "val"), (jester, "train")])
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_text_in_another_encoding_is_named(tmp_path, build, split, encoding):
    build(tmp_path, {kinetics: "cvdf"}.get(build, "20bn"))
    path = next(path for path in sorted(tmp_path.rglob(f"*{split}*")) if path.suffix in (".csv", ".json"))
    path.write_bytes((path.read_text() + "é").encode(encoding))
    with pytest.raises(ValueError, match=rf"{path.name} is not in UTF-8 .*: save it as UTF-8"):
        read_index(build.__name__, tmp_path, split)


def test_blank_labels_are_unusable_outside_a_test_split(tmp_path):
    kinetics(tmp_path, "cvdf")
    table = tmp_path / "annotations" / "val.csv"
    lines = table.read_text().splitlines()
    table.write_text(
        "\n".join([*lines[:2], "," + lines[2].split(",", 1)[1], "  ," + lines[3].split(",", 1)[1], *lines[4:]])
    )
    index = read_index("kinetics", tmp_path, "val")
    said = "no label, which only a test split may lack: fill it in or remove the row"
    assert index.malformed == [f"val.csv, line {line}: {said}" for line in (3, 4)]
    assert len(index.videos) == 3 and index.n_expected == 5 and min(v.label for v in index.videos) >= 0


def test_a_split_without_any_video_is_refused_and_the_nearest_folder_named(tmp_path):
    kinetics(tmp_path, "cvdf")
    (tmp_path / "val").rename(tmp_path / "videos_val")
    with pytest.raises(ValueError, match=r"no usable video in the val split .*: did you mean the folder videos_val"):
        read_index("kinetics", tmp_path, "val")
    (tmp_path / "videos_val").rename(tmp_path / "zzz")
    with pytest.raises(ValueError, match=r"its folders are annotations, zzz\nkinetics val: 5 listed, 0 found"):
        read_index("kinetics", tmp_path, "val")


@pytest.mark.parametrize("what", ["classes", "videos", "split"])
def test_links_are_followed_once(tmp_path, what):
    kinetics(tmp_path / "data", "crawler")
    val, store = tmp_path / "data" / "val", tmp_path / "store"
    linked = {"classes": list(val.iterdir()), "videos": list(val.glob("*/*")), "split": [val]}[what]
    store.mkdir()
    for path in linked:
        path.rename(store / path.name)
        path.symlink_to(store / path.name)
    (val / "again").symlink_to(val)  # a cycle
    assert len(read_index("kinetics", tmp_path / "data", "val").videos) == 5


def test_what_systems_leave_behind_is_no_video(tmp_path):
    kinetics(tmp_path, "cvdf")
    for file in list((tmp_path / "val").iterdir()):
        touch(file.with_name(f"._{file.name}"))
    touch(tmp_path / "val" / ".DS_Store")
    assert {video.path.name[0] for video in read_index("kinetics", tmp_path, "val").videos} & {"."} == set()


# From release to batches


@pytest.mark.parametrize(
    ("build", "form", "split"),
    [(kinetics, form, "val") for form in ("cvdf", "crawler", "underscores")]
    + [(something, form, "val") for form in ("20bn", "qualcomm")]
    + [(jester, form, "train") for form in ("20bn", "qualcomm")],
)
def test_each_video_of_a_release_comes_once_with_its_label_and_all_views(tmp_path, build, form, split):
    index = read_index(build.__name__, build(tmp_path, form), split)
    for video in index.videos:
        if video.path.is_dir():
            write_jpegs(video.path, numbered(12))
        else:
            (write_webm if video.path.suffix == ".webm" else write_mp4)(video.path, numbered(12), 12)
    clip = {"num_frames": 4, "frame_step": 2, "size": 16, "read": decode_frames}
    for epoch in range(2):
        batches = [*training_batches(TrainingClips(index, **clip), 1, epoch)]
        found = [(index.videos[place].id, label) for b in batches for place, label in zip(*_lists(b), strict=True)]
        assert sorted(found) == sorted((video.id, video.label) for video in index.videos)
        assert not any(batch.substituted.any() for batch in batches)
    views = [*evaluation_batches(EvaluationViews(index, **clip, num_clips=3, num_crops=6), 2)]
    found = [pair for b in views for pair in zip(*_lists(b), strict=True)]
    assert found == [(i, video.label) for i, video in enumerate(index.videos)]
    assert all(b.views.shape[1:] == (3 * 6, 3, 4, 16, 16) and b.readable.all() for b in views)


def _lists(batch):
    return batch.place.tolist(), batch.label.tolist()


# What cannot be read at all


@pytest.mark.parametrize("dataset", ["kinetics", "something", "jester"])
def test_an_empty_root_is_named_with_what_was_looked_for(tmp_path, dataset):
    with pytest.raises(FileNotFoundError, match=rf"no annotation under {tmp_path}: looked for .*(csv|json)"):
        read_index(dataset, tmp_path, "val")


def test_unknown_data_sets_and_splits_are_refused(tmp_path):
    with pytest.raises(ValueError, match="dataset='ucf101': choose one of kinetics, something, jester"):
        read_index("ucf101", tmp_path, "val")
    with pytest.raises(ValueError, match="split='validation': choose train, val or test"):
        read_index("jester", tmp_path, "validation")


def test_damaged_annotations_are_named(tmp_path):
    something(tmp_path, "20bn")
    labels = tmp_path / "something-something-v2-labels.json"
    whole = labels.read_text()
    for content, message in [
        (whole[:-5], "labels.json is not valid JSON, it may be truncated"),
        ("[1]", "labels.json holds a list, not a dict"),
        (json.dumps({TEMPLATES[0]: "zero"}), "no map of names to numbers"),
        (json.dumps({TEMPLATES[0]: "1"}), "not numbered from 0 on"),
    ]:
        labels.write_text(content)
        with pytest.raises(ValueError, match=message):
            read_index("something", tmp_path, "val")
    write_kinetics_csv(tmp_path / "annotations" / "val.csv", [])
    with pytest.raises(ValueError, match="no usable video in the val split"):
        read_index("kinetics", tmp_path, "val")
    (tmp_path / "annotations" / "val.csv").write_text("video;class\n")
    with pytest.raises(ValueError, match=r"val.csv has no column youtube_id: its header is \['video;class'\]"):
        read_index("kinetics", tmp_path, "val")


# Mirror pairs


def test_mirror_pairs_of_jester_have_the_official_numbers():
    assert flip_label_map(class_names("jester"), FLIP_PAIRS["jester"]) == {11: 12, 12: 11, 16: 17, 17: 16}


def test_mirror_pairs_may_be_left_out_or_halved():
    assert flip_label_map(TEMPLATES, FLIP_PAIRS["something"]) == {1: 2, 2: 1}
    assert flip_label_map(TEMPLATES[:2], FLIP_PAIRS["something"]) == {1: None}
    assert flip_label_map(TEMPLATES[:1], FLIP_PAIRS["something"]) == {}


def test_a_summary_shows_a_few_examples_of_many():
    index = Index("jester", "train", ("a",), malformed=[f"line {i}" for i in range(9)])
    assert index.summary().splitlines()[1] == "9 unusable rows: line 0, line 1, line 2, ..."


def test_of_two_clips_of_a_film_only_times_say_which_a_file_is(tmp_path):
    clips = [("abseiling", "match_00001", 0, 10), ("zumba", "match_00001", 10, 20), ("zumba", "whole_00002", 5, 15)]
    write_kinetics_csv(tmp_path / "val.csv", clips)
    touch(tmp_path / "val" / "whole_00002.mp4")  # as some crawlers name a clip
    replacements = tmp_path / "replacement" / "replacement_for_corrupted_k400"
    touch(tmp_path / "val" / name("match_00001", 0, 10))
    touch(tmp_path / "val" / "match_00001.mp4")  # by the id alone: of which of the two?
    touch(replacements / name("match_00001", 11, 21))  # likewise
    index = read_index("kinetics", tmp_path, "val")
    assert [video.path.name for video in index.videos] == [name("match_00001", 0, 10), "whole_00002.mp4"]
    assert index.replaced == 0
    assert [video.path.name for video in index.missing] == [name("match_00001", 10, 20)]
    touch(replacements / name("match_00001", 10, 20))
    index = read_index("kinetics", tmp_path, "val")
    assert [video.path.parent.name for video in index.videos] == ["val", replacements.name, "val"]
    assert index.replaced == 1 and "read from the folder of replacements" in index.summary()


@pytest.mark.parametrize("other", ["_0_10", "_000000_000010_copy", "-part", "_000003_000013"])
def test_a_file_that_is_named_alike_is_no_match(tmp_path, other):
    write_kinetics_csv(tmp_path / "val.csv", [("abseiling", "match_00001", 0, 10), ("zumba", "there_00002", 0, 10)])
    touch(tmp_path / "val" / f"match_00001{other}.mp4")
    touch(tmp_path / "val" / name("there_00002", 0, 10))
    index = read_index("kinetics", tmp_path, "val")
    assert [video.id for video in index.missing] == ["match_00001"]


def test_hidden_folders_are_neither_classes_nor_read(tmp_path):
    for split in ("train", "val"):
        for label in ("a", "b"):
            write_jpegs(tmp_path / split / label, numbered(2))
            touch(tmp_path / split / label / "._00001.jpg")
    touch(tmp_path / "val" / ".ipynb_checkpoints" / "x.jpg")
    train, val = (read_index("images", tmp_path, split) for split in ("train", "val"))
    assert train.classes == val.classes == ("a", "b") and len(val.videos) == 4
    kinetics(tmp_path / "k", "cvdf")
    deleted = tmp_path / "k" / "val" / name(*KINETICS_VAL[0][1:])
    (tmp_path / "k" / "val" / ".Trash").mkdir()
    deleted.rename(tmp_path / "k" / "val" / ".Trash" / deleted.name)
    assert [video.id for video in read_index("kinetics", tmp_path / "k", "val").missing] == [KINETICS_VAL[0][1]]


def test_links_that_lead_nowhere_are_missing_videos(tmp_path):
    kinetics(tmp_path, "cvdf")
    path = tmp_path / "val" / name(*KINETICS_VAL[0][1:])
    path.unlink()
    path.symlink_to("/nowhere/x.mp4")
    assert [video.id for video in read_index("kinetics", tmp_path, "val").missing] == [KINETICS_VAL[0][1]]


def test_folders_of_frames_may_be_links(tmp_path):
    jester(tmp_path, "20bn")
    (tmp_path / "store").mkdir()
    for folder in list((tmp_path / "20bn-jester-v1").iterdir()):
        folder.rename(tmp_path / "store" / folder.name)
        folder.symlink_to(tmp_path / "store" / folder.name)
    assert len(read_index("jester", tmp_path, "train").videos) == 3


def test_blank_labels_of_the_other_releases(tmp_path):
    jester(tmp_path / "j", "20bn")
    (tmp_path / "j" / "jester-v1-train.csv").write_text("34870;Swiping Left\n56557;\n129112;  \n")
    something(tmp_path / "s", "20bn")
    file = tmp_path / "s" / "something-something-v2-validation.json"
    rows = json.loads(file.read_text())
    file.write_text(json.dumps([rows[0], rows[1] | {"template": None}, rows[1] | {"template": ""}]))
    for dataset, split in (("jester", "train"), ("something", "val")):
        index = read_index(dataset, tmp_path / dataset[0], split)
        assert len(index.malformed) == 2 and index.n_expected == 3 and len(index.videos) == 1
        assert all(row.endswith(": fill it in or remove the row") for row in index.malformed)


def test_the_order_is_that_of_the_annotation_whatever_can_be_used_today(tmp_path):
    jester(tmp_path, "20bn")
    before = read_index("jester", tmp_path, "train").listed
    (tmp_path / "quarantine.jsonl").write_text(
        json.dumps({"id": before[0].id, "path": f"20bn-jester-v1/{before[0].id}", "reason": "x"}) + "\n"
    )
    shutil.rmtree(before[1].path)
    index = read_index("jester", tmp_path, "train")
    assert index.listed == before and index.videos == before[2:] and index.missing == before[1:2]
    frames = np.zeros((2, 24, 32, 3), np.uint8)
    views = EvaluationViews(index, num_frames=2, frame_step=1, size=16, read=lambda *_: frames)
    assert [view.readable for view in views] == [False, False] + [True] * len(before[2:])


def test_the_list_of_damaged_videos_may_be_saved_by_an_editor(tmp_path):
    jester(tmp_path, "20bn")
    line = '{"id": "34870", "path": "20bn-jester-v1/34870", "reason": "ä"}\n'
    for content in (BOM + line.encode(), line.encode("latin-1")):
        (tmp_path / "quarantine.jsonl").write_bytes(content)
        assert [video.id for video in read_index("jester", tmp_path, "train").quarantined] == ["34870"]
