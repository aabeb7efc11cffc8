#!/usr/bin/env python3
"""Teaches the sentence encoder which sentence answers a question: LoRA corrections, written as src/reason/adapter.rs reads them.

Every step takes one company: each of its questions against all of its sentences, the right one to be nearest (a softmax over cosines, temperature 0.05,
of the whole texts and of their words, as ColBERT compares words). See README.md beside this file.
"""

import argparse
import glob
import math
import os
import re
import struct

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
MAGIC = b"firstline answers 1\n"
PARTS = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
]
LAYERS, WIDTH, HEADS, TEMPERATURE = 6, 384, 12, 0.05


def company(path):
    """(questions, sentences with what they stand under, index of each question's sentence, index of each sentence's article)"""
    title, head, article = "", "", -1
    questions, sentences, right, own = [], [], [], []
    with open(path, encoding="utf-8") as lines:
        for line in map(str.strip, lines):
            if line.startswith("= ") or line.startswith("!") or not line:
                continue
            if line.startswith("## "):
                head = line[3:].strip()
            elif line.startswith("# "):
                title, head, article = line[2:].strip(), "", article + 1
            elif line.startswith("?"):
                questions.append(line[1:].strip())
                right.append(len(sentences) - 1)
            else:
                over = f"{title}: {head}" if head else title
                sentences.append(f"{over}. {line.removeprefix('- ').strip()}")
                own.append(article)
    return questions, sentences, torch.tensor(right), torch.tensor(own)


def light_words():
    """Words without a subject, as src/desk/text.rs and src/desk/meaning.rs have them: they are left out when words are compared."""
    light = set()
    for name, table in (("text.rs", "const STOP"), ("meaning.rs", "const LEFT")):
        with open(f"{HERE}/../../src/desk/{name}", encoding="utf-8") as source:
            found = re.search(table + r": \[&str; \d+\] = \[(.*?)\];", source.read(), re.S)
        light |= set(re.findall(r'"([^"]+)"', found.group(1)))
    return light


LIGHT = light_words()


class Encoder(torch.nn.Module):
    """BERT (Devlin et al., 2019) with corrections to the matrices of its layers; the published weights stay as they are."""

    def __init__(self, folder, rank):
        super().__init__()
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(96)
        self.fixed = {k: torch.tensor(v) for k, v in load_file(f"{folder}/model.safetensors").items()}
        self.learned = torch.nn.ParameterDict()
        random = torch.Generator().manual_seed(1)
        for layer in range(LAYERS):
            for part in PARTS:
                outputs, inputs = self.fixed[f"encoder.layer.{layer}.{part}.weight"].shape
                down = torch.randn(rank, inputs, generator=random) / math.sqrt(inputs)
                self.learned[self.key("down", layer, part)] = torch.nn.Parameter(down)
                self.learned[self.key("up", layer, part)] = torch.nn.Parameter(torch.zeros(outputs, rank))

    @staticmethod
    def key(which, layer, part):
        return f"{which}_{layer}_{part}".replace(".", "_")

    def linear(self, x, layer, part):
        name = f"encoder.layer.{layer}.{part}"
        down, up = (self.learned[self.key(which, layer, part)] for which in ("down", "up"))
        return F.linear(x, self.fixed[f"{name}.weight"], self.fixed[f"{name}.bias"]) + F.linear(F.linear(x, down), up)

    def norm(self, x, name):
        return F.layer_norm(x, (WIDTH,), self.fixed[f"{name}.weight"], self.fixed[f"{name}.bias"], 1e-12)

    def hidden(self, ids, mask):
        rows, length = ids.shape
        x = (
            self.fixed["embeddings.word_embeddings.weight"][ids]
            + self.fixed["embeddings.position_embeddings.weight"][:length][None]
            + self.fixed["embeddings.token_type_embeddings.weight"][0]
        )
        x = self.norm(x, "embeddings.LayerNorm")
        beyond = (1 - mask)[:, None, None, :] * -1e4
        for layer in range(LAYERS):
            heads = [
                self.linear(x, layer, part).view(rows, length, HEADS, -1).transpose(1, 2) for part in PARTS[:3]
            ]
            query, key, value = heads
            seen = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(WIDTH // HEADS) + beyond, -1) @ value
            seen = seen.transpose(1, 2).reshape(rows, length, WIDTH)
            name = f"encoder.layer.{layer}"
            x = self.norm(x + self.linear(seen, layer, PARTS[3]), f"{name}.attention.output.LayerNorm")
            wide = F.gelu(self.linear(x, layer, PARTS[4]))
            x = self.norm(x + self.linear(wide, layer, PARTS[5]), f"{name}.output.LayerNorm")
        return x

    def words(self, text, encoding):
        """The tokens of each word that carries a subject; of every word where none does."""
        words = []
        for at, word in enumerate(encoding.word_ids):
            if word is None:
                continue
            if words and words[-1][0] == word:
                words[-1][1].append(at)
            else:
                words.append((word, [at]))
        words = [tokens for _, tokens in words]

        def carries(tokens):
            word = text[encoding.offsets[tokens[0]][0] : encoding.offsets[tokens[-1]][1]].lower()
            letter = len(word) == 1 and not word.isnumeric()
            return any(c.isalnum() for c in word) and not letter and word not in LIGHT

        return [tokens for tokens in words if carries(tokens)] or words or [[0]]

    def forward(self, texts, together=48):
        """(whole [texts, 384], words of each)"""
        read = [self.tokenizer.encode(text) for text in texts]
        order = sorted(range(len(read)), key=lambda n: len(read[n].ids))
        whole, words = [None] * len(read), [None] * len(read)
        for start in range(0, len(order), together):
            batch = order[start : start + together]
            length = max(len(read[n].ids) for n in batch)
            ids, mask = torch.zeros(len(batch), length, dtype=torch.long), torch.zeros(len(batch), length)
            groups = [self.words(texts[n], read[n]) for n in batch]
            pool = torch.zeros(len(batch), max(map(len, groups)), length)
            for row, n in enumerate(batch):
                own = read[n].ids
                ids[row, : len(own)], mask[row, : len(own)] = torch.tensor(own), 1
                for at, tokens in enumerate(groups[row]):
                    pool[row, at, tokens] = 1 / len(tokens)
            x = self.hidden(ids, mask)
            means = F.normalize((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), dim=-1)
            each = F.normalize(pool @ x + 1e-9, dim=-1)
            for row, n in enumerate(batch):
                whole[n], words[n] = means[row], each[row, : len(groups[row])]
        return torch.stack(whole), words


def near(asked, said):
    """Cosines of every question and sentence: of the whole texts, and the mean over the question's words of the nearest word."""
    (asked, asked_words), (said, said_words) = asked, said
    counts = torch.tensor([len(w) for w in said_words])
    padded = torch.nn.utils.rnn.pad_sequence(said_words, batch_first=True)
    all_words = torch.cat(asked_words)
    best = (all_words @ padded.reshape(-1, WIDTH).T).view(len(all_words), len(said_words), -1)
    best = best.masked_fill(torch.arange(padded.shape[1])[None, None] >= counts[None, :, None], -1).max(-1).values
    lengths = torch.tensor([len(w) for w in asked_words])
    of = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    by_word = torch.zeros(len(lengths), len(said_words)).index_add(0, of, best) / lengths[:, None]
    return asked @ said.T, by_word


def measured(encoder, companies):
    """How often the nearest sentence is the right one: of the right article, of all."""
    within, anywhere, count = 0, 0, 0
    with torch.no_grad():
        for questions, sentences, right, own in companies:
            cosines, _ = near(encoder(questions), encoder(sentences))
            same = own[right][:, None] == own[None]
            within += (cosines.masked_fill(~same, -2).argmax(1) == right).sum().item()
            anywhere += (cosines.argmax(1) == right).sum().item()
            count += len(questions)
    return within / max(count, 1), anywhere / max(count, 1)


def written(rounds, rank):
    """The mean of the rounds' corrections: eight bits a number, a scale a matrix."""
    out = bytearray(MAGIC)
    out.append(rank)
    for layer in range(LAYERS):
        for part in PARTS:
            for which in ("down", "up"):
                key = Encoder.key(which, layer, part)
                mean = np.mean([learned[key] for learned in rounds], axis=0)
                scale = max(float(np.abs(mean).max()) / 127, 1e-12)
                out += struct.pack("<f", scale) + np.round(mean / scale).astype(np.int8).tobytes()
    return bytes(out)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--weights", required=True, help="folder with model.safetensors and tokenizer.json of all-MiniLM-L6-v2")
    options.add_argument("--pairs", default=f"{HERE}/pairs", help="folder of companies")
    options.add_argument("--held", default="cg", help="first letters of the companies that are not learned from")
    options.add_argument("--out", required=True)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--rank", type=int, default=8)
    options.add_argument("--rate", type=float, default=2e-3)
    options.add_argument("--most", type=int, help="companies learned from at most, for trying it out")
    a = options.parse_args()
    names = sorted(glob.glob(f"{a.pairs}/*.txt"))
    held = [company(n) for n in names if os.path.basename(n)[0] in a.held][: a.most]
    taught = [company(n) for n in names if os.path.basename(n)[0] not in a.held][: a.most]
    encoder = Encoder(a.weights, a.rank)
    print("before: right of the article %.3f, of all %.3f" % measured(encoder, held), flush=True)
    step, steps, rounds = 0, a.rounds * len(taught), []
    optimizer = torch.optim.AdamW(encoder.learned.parameters(), lr=a.rate, weight_decay=0.01)
    order = np.random.default_rng(0)
    for done in range(a.rounds):
        for n in order.permutation(len(taught)):
            questions, sentences, right, _ = taught[n]
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = a.rate * min(1, step / 10) * (1 - step / (steps + 1))
            whole, by_word = near(encoder(questions), encoder(sentences))
            each = (whole, by_word, (whole + by_word) / 2)
            loss = sum(F.cross_entropy(cosines / TEMPERATURE, right) for cosines in each) / 3
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(encoder.learned.parameters(), 1.0)
            optimizer.step()
        rounds.append({k: v.detach().numpy().copy() for k, v in encoder.learned.items()})
        print("round %d: right of the article %.3f, of all %.3f" % (done + 1, *measured(encoder, held)), flush=True)
    with open(a.out, "wb") as out:
        out.write(written(rounds[-2:], a.rank))


if __name__ == "__main__":
    main()
