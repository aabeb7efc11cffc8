#!/usr/bin/env python3
"""Writes the invented companies that the encoder is not taught on as desks with labelled questions, for `firstline eval`."""

import argparse
import glob
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", default=f"{HERE}/pairs", help="folder of companies")
    options.add_argument("--held", default="cg", help="first letters of those to write")
    options.add_argument("--out", required=True, help="folder for the desks")
    a = options.parse_args()
    for path in sorted(glob.glob(f"{a.pairs}/*.txt")):
        name = os.path.basename(path).removesuffix(".txt")
        if name[0] not in a.held:
            continue
        company, articles, questions, last = "", [], [], ""
        with open(path, encoding="utf-8") as lines:
            for line in filter(None, map(str.strip, lines)):
                if line.startswith("= "):
                    company = line[2:].split(",")[0]
                elif line.startswith("!"):
                    questions.append({"text": line[1:].strip(), "route": "transfer"})
                elif line.startswith("?"):
                    source = f"a{len(articles)}"
                    questions.append({"text": line[1:].strip(), "route": "answer", "relevant": [source], "must": [last]})
                elif line.startswith("# "):
                    articles.append((line[2:].strip(), []))
                elif line.startswith("## "):
                    articles[-1][1].append(f"\n{line}")
                else:
                    articles[-1][1].append(line)
                    last = line.removeprefix("- ").strip()
        desk = f"{a.out}/{name}"
        os.makedirs(f"{desk}/knowledge", exist_ok=True)
        for number, (title, body) in enumerate(articles, 1):
            with open(f"{desk}/knowledge/a{number}.md", "w", encoding="utf-8") as out:
                out.write(f"---\nid: a{number}\ntitle: {json.dumps(title)}\n---\n" + "\n".join(body) + "\n")
        with open(f"{desk}/desk.toml", "w", encoding="utf-8") as out:
            out.write(f'company = {json.dumps(company)}\nlanguage = "en-GB"\n')
        with open(f"{desk}/questions.jsonl", "w", encoding="utf-8") as out:
            out.writelines(json.dumps(question) + "\n" for question in questions)
        print(desk)


if __name__ == "__main__":
    main()
