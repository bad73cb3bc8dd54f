"""Scores on disk, and submission files parsed back."""

import csv
import json
import math

import pytest
import torch

from cpnet.data.layouts import read_index
from cpnet.engine.scores import Scores, read_scores, save_scores, write_submissions

N, CLASSES = 6, 8
UNREAD = 3  # a video that could not be read


def make_scores(classes=CLASSES):
    scores = torch.randn(N, classes, generator=torch.Generator().manual_seed(0))
    scores[UNREAD] = float("nan")
    names = [f"Straße {c}, 'turned'" for c in range(classes)]
    return Scores(scores, [str(100 + i) for i in range(N)], [-1, *(i % classes for i in range(1, N))], names)


def best_classes(scores):
    """Class numbers of each video by brute force, best first, at most five."""
    return [
        list(range(min(5, len(row))))
        if any(map(math.isnan, row))
        else [c for _, c in sorted((-score, c) for c, score in enumerate(row))][:5]
        for row in scores.scores.tolist()
    ]


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=";"))


def test_scores_come_back_as_saved(tmp_path):
    saved, path = make_scores(), tmp_path / "new" / "val.safetensors"
    save_scores(path, saved)
    scores, *texts = read_scores(path)
    torch.testing.assert_close(scores, saved.scores, rtol=0, atol=0, equal_nan=True)
    assert texts == [*saved[1:]]
    assert [file.name for file in path.parent.iterdir()] == ["val.safetensors"]


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path, saved = tmp_path / "val.safetensors", make_scores()
    save_scores(path, saved)

    def interrupt(_):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(OSError, match="no space left"):
        save_scores(path, saved._replace(scores=saved.scores + 1))
    torch.testing.assert_close(read_scores(path)[0], saved.scores, equal_nan=True)


@pytest.mark.parametrize("classes", [CLASSES, 3])
def test_twentybn_files_rank_as_brute_force(tmp_path, capsys, classes):
    scores = make_scores(classes)
    paths = write_submissions(tmp_path, "something", scores)
    assert [path.name for path in paths] == ["something-test-indices.csv", "something-test-labels.csv"]
    best = best_classes(scores)
    assert read_csv(paths[0]) == [[video, *map(str, row)] for video, row in zip(scores.ids, best, strict=True)]
    assert read_csv(paths[1]) == [[video, scores.classes[row[0]]] for video, row in zip(scores.ids, best, strict=True)]
    assert capsys.readouterr().out == "1 of 6 videos could not be read: they are given the first classes, in order\n"


@pytest.mark.parametrize("classes", [CLASSES, 3])
def test_the_kinetics_file_ranks_as_brute_force(tmp_path, capsys, classes):
    scores = make_scores(classes)
    (path,) = write_submissions(tmp_path, "kinetics", scores)
    found = json.loads(path.read_text(), parse_constant=pytest.fail)  # JSON has no NaN
    assert path.name == "kinetics-test.json"
    assert (found["version"], found["external_data"]) == ("KINETICS VERSION 1.0", {})
    assert list(found["results"]) == scores.ids
    for i, (video, best) in enumerate(zip(scores.ids, best_classes(scores), strict=True)):
        expected = [0.0 if i == UNREAD else scores.scores[i, c].item() for c in best]
        assert found["results"][video] == [
            {"label": scores.classes[c], "score": score} for c, score in zip(best, expected, strict=True)
        ]
    assert capsys.readouterr().out.startswith("1 of 6 videos could not be read")


def test_labels_are_read_as_the_answers_of_a_test_split(tmp_path, capsys):
    scores = make_scores()
    scores.scores[UNREAD] = 0.0
    (tmp_path / "jester-v1-labels.csv").write_text("\n".join(scores.classes), encoding="utf-8")
    (tmp_path / "jester-v1-test.csv").write_text("\n".join(scores.ids))
    labels = write_submissions(tmp_path, "jester", scores)[1]
    labels.rename(tmp_path / "test-answers.csv")
    for video in scores.ids:
        (tmp_path / "20bn-jester-v1" / video).mkdir(parents=True)
    index = read_index("jester", tmp_path, "test")
    assert [(video.id, video.label) for video in index.videos] == [
        (video, row[0]) for video, row in zip(scores.ids, best_classes(scores), strict=True)
    ]
    assert capsys.readouterr().out == ""  # every video could be read


def test_submissions_refuse_what_would_lose_or_break_a_line(tmp_path):
    scores = make_scores()
    with pytest.raises(ValueError, match="dataset='images': choose kinetics, something or jester"):
        write_submissions(tmp_path, "images", scores)
    with pytest.raises(ValueError, match="id '100' comes more than once"):
        write_submissions(tmp_path, "kinetics", scores._replace(ids=["100", *scores.ids[:-1]]))
    for text in ("a;b", "a\nb", ""):
        with pytest.raises(ValueError, match="cannot stand in a line"):
            write_submissions(tmp_path, "jester", scores._replace(classes=[text, *scores.classes[1:]]))
    assert not list(tmp_path.iterdir())
