"""Figures on fresh recordings: python evaluate_whisper.py WHISPER_DIR [RECORDINGS_PER_LINE=12]. Single words joined with 0.05-0.4 s pauses, so word times are known; the same recordings for every model."""
import math, random, sys, time, warnings; warnings.filterwarnings("ignore")
import jiwer, numpy as np
from faster_whisper import WhisperModel
from generate import DE, EN, ESPEAK_DE, ESPEAK_EN, FLITE, synth
K = int(sys.argv[2]) if len(sys.argv) > 2 else 12
rng = random.Random(987654); nrng = np.random.default_rng(5)


def joined(lang, n, voices, gap, turns=False):
    x, t, words = [np.zeros(3200, np.float32)], .2, []; v = rng.choice(voices)
    for _ in range(n):
        if turns and rng.random() < .4: v = rng.choice(voices)
        w = rng.choice(EN if lang == "en" else list(DE)); a = synth(w, v, rng).astype(np.float32) / 32768; k = int(rng.uniform(*gap) * 16000)
        words.append((w, t + .025, t + len(a) / 16000 - .05)); x += [a, np.zeros(k, np.float32)]; t += (len(a) + k) / 16000
    return np.concatenate(x), words


model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=2); t0 = time.time(); audio_s = 0
def run(x, **k):
    global audio_s; audio_s += len(x) / 16000
    s, info = model.transcribe(x, beam_size=5, condition_on_previous_text=k.pop("cond", False), temperature=0.0, **k); s = list(s); return s, info
print(f"{'':42s} no timestamps: WER  with timestamps: WER   language right")
for label, voices, lang, turns in (("en espeak", ESPEAK_EN, "en", 0), ("en flite", FLITE, "en", 0), ("de espeak", ESPEAK_DE, "de", 0), ("en voice never heard", ["en-us+john", "en-gb+paul"], "en", 0), ("en several voices", ESPEAK_EN + FLITE, "en", 1)):
    for n in (3, 6, 12, 25):
        R, H, G, L = [], [], [], []
        for _ in range(K):
            x, words = joined(lang, n, voices, (.05, .4), turns); R.append(" ".join(w for w, _, _ in words))
            for out, wt in ((H, True), (G, False)):
                s, info = run(x, without_timestamps=wt); out.append(" ".join(a.text.strip() for a in s) or "-")
            L.append(info.language == lang)
        print(f"{label:22s} {n:2d} words {'':10s} {jiwer.wer(R, H):18.3f} {jiwer.wer(R, G):21.3f} {np.mean(L):16.2f}", flush=True)
for label, gap, n in (("en, pauses 0.6-2 s", (.6, 2.), 12), ("en, 60 words (over 30 s)", (.1, .8), 60)):
    R, H, G, C, B = [], [], [], [], []
    for _ in range(max(3, K // 3)):
        x, words = joined("en", n, ESPEAK_EN + FLITE, gap); R.append(" ".join(w for w, _, _ in words)); ends = np.array([(a, b) for _, a, b in words])
        for out, kw in ((H, dict(without_timestamps=True)), (G, {}), (C, dict(cond=True))):
            s, _ = run(x, **kw); out.append(" ".join(a.text.strip() for a in s) or "-")
            if out is G: B += [min(abs(ends[:, 0] - a.start)) for a in s] + [min(abs(ends[:, 1] - a.end)) for a in s]
    print(f"{label:33s} {jiwer.wer(R, H):18.3f} {jiwer.wer(R, G):21.3f}   timestamps + condition_on_previous_text {jiwer.wer(R, C):.3f}; segment edges to nearest word edge: median {np.median(B) * 1000:.0f} ms, 90 % {np.percentile(B, 90) * 1000:.0f} ms" if B else label, flush=True)
R, H = [], []
for _ in range(K):
    x, words = joined("de", 6, ESPEAK_DE, (.05, .4)); R.append(" ".join(DE[w] for w, _, _ in words)); H.append(" ".join(a.text.strip() for a in run(x, task="translate", language="de", without_timestamps=True)[0]) or "-")
print(f"de->en translate, 6 words: WER {jiwer.wer(R, H):.3f}")
for cond in ("initial_prompt", "hotwords"):
    R, H = [], []
    for _ in range(K):
        x, words = joined("en", 6, ESPEAK_EN, (.05, .4)); R.append(" ".join(w for w, _, _ in words))
        H.append(" ".join(a.text.strip() for a in run(x, without_timestamps=True, **{cond: " ".join(rng.choice(EN) for _ in range(8))})[0]) or "-")
    print(f"en, 6 words, random {cond}: WER {jiwer.wer(R, H):.3f}")
err, miss, tot = [], 0, 0
for lang, voices in (("en", ESPEAK_EN + FLITE), ("de", ESPEAK_DE)):
    for n in (6, 12):
        for _ in range(max(3, K // 3)):
            x, words = joined(lang, n, voices, (.05, .4)); got = [w for a in run(x, word_timestamps=True, language=lang)[0] for w in (a.words or [])]
            for ch in jiwer.process_words(" ".join(w for w, _, _ in words), " ".join(g.word.strip() for g in got) or "-").alignments[0]:
                if ch.type == "equal":
                    for i, j in zip(range(ch.ref_start_idx, ch.ref_end_idx), range(ch.hyp_start_idx, ch.hyp_end_idx)): err += [abs(words[i][1] - got[j].start), abs(words[i][2] - got[j].end)]
print(f"word_timestamps, starts and ends of right words: median {np.median(err) * 1000:.0f} ms, 95 % {np.percentile(err, 95) * 1000:.0f} ms ({len(err) // 2} words)")


def music(n):
    t = np.arange(n) / 16000; y = np.zeros(n)
    for b in range(0, n, 8000):
        for f in rng.sample([130.8, 164.8, 196, 220, 261.6, 329.6, 392, 440, 523], 3): y[b:b + 8000] += np.sin(2 * np.pi * f * t[b:b + 8000]) + .4 * np.sin(4 * np.pi * f * t[b:b + 8000])
        k = min(1600, n - b); y[b:b + k] += 2 * nrng.standard_normal(k) * np.exp(-np.arange(k) / 300)
    return (y / abs(y).max() * rng.uniform(.1, .6)).astype(np.float32)


for label, gen in (("silence", lambda n: np.zeros(n, np.float32)), ("faint noise", lambda n: (nrng.standard_normal(n) * 1e-3).astype(np.float32)), ("noise", lambda n: (nrng.standard_normal(n) * .05).astype(np.float32)), ("music", music)):
    bad, nsp = {True: 0, False: 0}, []; secs = (1, 3, 5, 10, 20, 30, 35)
    for s in secs:
        for wt in (True, False): bad[wt] += bool("".join(a.text for a in run(gen(s * 16000), without_timestamps=wt)[0]).strip())
    print(f"{label}: of {len(secs)} recordings of 1-35 s, with text: {bad[True]} without / {bad[False]} with timestamps")
print(f"{audio_s:.0f} s of audio in {time.time() - t0:.0f} s (machine shared)")
