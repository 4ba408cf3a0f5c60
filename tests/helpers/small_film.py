"""Small files in the published layout of studyforrest: two subjects, tables of a few rows, a frame a TR."""

import hashlib

import numpy as np
from naturalistic.datasets import studyforrest_files
from naturalistic.datasets.download import RemoteFile

SUBJECTS = ("01", "02")
HEADER = [k for k in range(1, 279) if k not in (13, 76)]  # more parcels than everybody has
TABLES = {
    "old/speech/english_dialog.csv": 'start,end,person,text\n12,14,ANN,"Yes, now."\n3,4,BEN,No.\n5.0,4.9,ANN,So.\n'
    '890,891,BEN,"(sings) Twice -- heard"\n1751,1754,ANN,a b c d e f\n6990,6992,ANN,The end.\n',
    "old/speech/german_audio_description.csv": "start,end,text\n1,2,Näher\n7000,7001,Das Bild wird schwarz.\n",
    "researchcut/locations.tsv": "onset\tduration\tmajor_location\tsetting\tlocale\tint_or_ext\ttime_of_day\n"
    "0\t7082\tA\tB\tC\text\tday\n",
    "old/structure/scenes.csv": "start,location,tod,setting\n10,PARK,DAY,EXT\n0,HOUSE,DAY,INT\n6950,END,DAY,INT\n",
    "old/structure/shots.csv": "start\n0.0\n7.5\n888.0\n7082\n",
    "researchcut/music.tsv": "onset\tduration\tartist\ttitle\n2\t3\tA\tB\n6999\t2\tA\tB\n",
    "researchcut/emotions_av_1s_events.tsv": "onset\tduration\tcharacter\tarousal\tvalence_positive\tvalence_negative\t"
    "c_face\te_fear\te_hate\n0\t2\tANN\t-1\t0\t0.5\t1\t0.5\t0\n1\t3\tBEN\t1\t0\t0\t1\t0.25\t0\n"
    "7000\t1\tANN\t0\t0\t0\t1\t0\t0\n",
}


def write_film(folder, subjects=SUBJECTS, seed=0):
    """Write all files that the loader reads, but for the image of the atlas; return the folder.

    One that is whole is left alone: another process may be reading it.
    """
    if (folder / "whole").is_file():
        return folder
    for path, text in TABLES.items():
        put(folder / path, text)
    rng = np.random.default_rng(seed)
    for k, n in enumerate(studyforrest_files.N_TRS, 1):
        times = [f"{2 * t:.2f}\t0.04" for t in range(n)]
        light = rng.integers(1, 99, n)
        put(
            folder / f"segments/avmovie/conf_visual_run-{k}_events.tsv",
            "onset\tduration\tbrmean\tbrlr\tbrud\tphash\tnorm_diff\n"
            + "".join(f"{at}\t{x}\t1\t2\t8000\t0.5\n" for at, x in zip(times, light)),
        )
        put(
            folder / f"segments/avmovie/conf_audio_run-{k}_events.tsv",
            "onset\tduration\trms\tlrdiff\n" + "".join(f"{at}\t0.{x:04d}\t0\n" for at, x in zip(times, light)),
        )
        for subject in subjects:
            values = rng.integers(1, 10, (n, len(HEADER)))
            rows = [",".join(map(str, row)) for row in [HEADER, *values.tolist()]]
            put(
                folder / f"sub-{subject}/shen_fconn/sub-{subject}_task-avmovie_run-{k}_bold.csv", "\n".join(rows) + "\n"
            )
    put(folder / "whole", "")
    return folder


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def part_of(path):
    if path == "shen_3mm_278.nii.gz":
        return "atlas"
    return "bold" if path.startswith("sub-") else "annotations"


def manifest_of(folder):
    """Return a manifest of the files of a folder, as `studyforrest_files.manifest` does."""
    manifest = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        body = path.read_bytes()
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        manifest[name] = RemoteFile(name, digest, len(body), part_of(name), f"owner/repository/commit/{name}")
    return manifest
