"""Last stage of the mini Whisper on the windows that faster-whisper and whisperx feed it.

    python train_whisper_long.py MINUTES [CHECKPOINT=whisper_long.pt] [OUT=whisper_checkpoint.pt]

Wants train.pkl (generate.py 0 15000 train.pkl), tokenizer.json and the checkpoint in the current folder, and espeak-ng (for relative word durations).
What it does beyond short windows:
- Windows are 30 s (3000 mel frames, position offset 0), padded as the loaders pad: faster-whisper clamps log-mel at (maximum of the whole file - 8), then
  pads with 0.0 in normalised mel space; whisperx pads the samples with zeros and then takes the mel. 15 % of the steps are short windows (cheap, more words).
- The encoder runs once per window, the decoder twice: plain (<|notimestamps|>) and mostly with timestamps (40 % of the decoder rows), each with
  previous text after <|startofprev|> in a quarter of the rows (not in the loss), German translated word by word in a third.
- Timestamp tokens share one matrix during training, row i = W sin(i) with the encoder's own sinusoids, as token i and encoder position i are the same
  20 ms; targets are blurred over +-4 tokens. The rows are written out when saving, so the checkpoint is an ordinary Whisper.
- Guided cross-attention: heads 0 and 1 of the last decoder layer must look at the word (or time) to be written next, head 0 of the first layer at the one
  just read. Makes the decoder keep its place in long audio, and gives alignment heads that truly align.
- After each step two of the decoder alone, on remembered encoder outputs: a third of the price of a whole step.
- That head starts from the CTC head's word detectors, and the encoder's output must keep its place in the window (a linear read-out of sinusoids, thrown
  away after training): without these two the decoder found no place among more than about ten words.
- A window without speech: <|nospeech|> at the first position, then empty text.
"""
import copy, math, pickle, random, subprocess, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np, torch, torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import WhisperConfig, WhisperForConditionalGeneration
from faster_whisper.feature_extractor import FeatureExtractor
from generate import DE, EN

MINUTES = float(sys.argv[1])
START = sys.argv[2] if len(sys.argv) > 2 else "whisper_long.pt"
OUT = sys.argv[3] if len(sys.argv) > 3 else "whisper_checkpoint.pt"
PEAK_LR, BATCH, SEED, GUIDE, REPLAYS = 8e-4, 8, 7, .4, 2
SR, FULL = 16000, 480000
torch.manual_seed(SEED); rng = random.Random(SEED); nrng = np.random.default_rng(SEED); torch.set_num_threads(2)

# ---------------------------------------------------------------- model
tok = Tokenizer.from_file("tokenizer.json"); V = tok.get_vocab_size(); I = tok.token_to_id
SOT, EOT, PREV, NOTS, NOSP = (I(f"<|{s}|>") for s in ("startoftranscript", "endoftext", "startofprev", "notimestamps", "nospeech"))
TS0 = I("<|0.00|>"); assert I("<|30.00|>") == TS0 + 1500 == V - 1
WORDS = sorted(set(EN) | set(DE) | set(DE.values())); CTC_ID = {w: i + 1 for i, w in enumerate(WORDS)}
WID = {w: tok.encode(" " + w).ids for w in WORDS}
state = torch.load(START)
cfg = WhisperConfig(**state["cfg"]); cfg.use_cache = False; cfg._attn_implementation = "eager"
m = WhisperForConditionalGeneration(cfg)
m.load_state_dict(state["raw"] if "raw" in state else state["m"]); m.config.use_cache = False
ctc = torch.nn.Linear(cfg.d_model, len(WORDS) + 1); ctc.load_state_dict(state["ctc"])
E, DEC = m.model.encoder, m.model.decoder
fast = copy.deepcopy(m.config); fast._attn_implementation = "sdpa"
for l in E.layers: l.self_attn.config = fast; l.self_attn.dropout = 0.0     # the encoder needs no attention weights


def sinusoids(n, d):
    inc = math.log(10000) / (d // 2 - 1); a = torch.arange(n)[:, None] * torch.exp(-inc * torch.arange(d // 2))[None]
    return torch.cat([a.sin(), a.cos()], 1)


SIN = sinusoids(1501, cfg.d_model); assert torch.allclose(SIN[:1500], E.embed_positions.weight, atol=1e-3)
PERIODS = list(range(12, 48, 4)); PLACES = torch.cat([SIN[:1500, PERIODS], SIN[:1500, [64 + p for p in PERIODS]]], 1)     # sinusoids of 0.7 to 80 s
where = torch.nn.Linear(cfg.d_model, PLACES.shape[1])
if "where" in state: where.load_state_dict(state["where"])
emb = DEC.embed_tokens.weight; emb.requires_grad_(True)
if "W" in state: W = torch.nn.Parameter(state["W"].clone())
else:
    size = emb[[WID[w][0] for w in WORDS]].norm(dim=1).mean().item()
    W = torch.nn.Parameter(torch.nn.init.orthogonal_(torch.empty(cfg.d_model, cfg.d_model)) * size / SIN.norm(dim=1).mean())


def table(): return torch.cat([emb[:TS0], SIN @ W, emb[V:]])


def encode(x):
    h = F.gelu(E.conv1(x)); h = F.gelu(E.conv2(h)).permute(0, 2, 1)
    h = F.dropout(h + E.embed_positions.weight[:h.shape[1]], .05, E.training)
    for l in E.layers: h = l(h, None, layer_head_mask=None)[0]
    return E.layer_norm(h)


# ---------------------------------------------------------------- mel, as faster_whisper.FeatureExtractor computes it
FB = torch.from_numpy(FeatureExtractor().mel_filters); WIN = torch.from_numpy(np.hanning(401)[:-1].astype("float32"))


def logmel(x):
    s = torch.stft(F.pad(x, (0, 160)), 400, 160, window=WIN, return_complex=True)[..., :-1].abs() ** 2
    return torch.clamp(FB @ s, min=1e-10).log10()[..., :-1]          # one frame for every 160 samples, as content_frames


def features(x, lengths):
    l = logmel(x); n = l.shape[-1]
    for i, k in enumerate(lengths):
        k = min(n, k // 160); form = rng.random()
        top = l[i, :, :k].max() + (rng.uniform(0, .6) if rng.random() < .2 else 0)     # a louder place elsewhere in the file
        l[i] = (torch.maximum(l[i], top - 8) + 4) / 4
        if form < .75: l[i, :, k:] = 0.0                             # faster-whisper; else whisperx: silence before the mel
    return l


# ---------------------------------------------------------------- windows
def relative_durations():
    D = {}
    for lang, words, voice in (("en", EN, "en-us"), ("de", list(DE), "de")):
        for w in words:
            b = subprocess.run(["espeak-ng", "-v", voice, "--stdout", w], capture_output=True, check=True).stdout
            a = np.abs(np.frombuffer(b[44:len(b) - len(b) % 2], np.int16).astype(np.float32)); on = np.flatnonzero(a > 300)
            D[lang, w] = float(on[-1] - on[0])
    return D


DUR = relative_durations()
data = pickle.load(open("train.pkl", "rb")); random.Random(0).shuffle(data); data = data[256:]
POOL = {}
for d in data:
    for k in ((d[0], None), (d[0], d[2])):
        POOL.setdefault((*k, False), []).append(d)
        if " " not in d[1]: POOL.setdefault((*k, True), []).append(d)
VOICES = {lang: sorted({d[2] for d in data if d[0] == lang}) for lang in ("en", "de")}


def music(n):
    t = np.arange(n, dtype=np.float32) / SR; y = np.zeros(n, np.float32); kind = rng.random()
    if kind < .75:                                                   # chords and tunes of tones with overtones
        step = int(rng.uniform(.2, 2.5) * SR); base = rng.choice([110, 131, 147, 165, 196, 220, 262])
        for s in range(0, n, step):
            k = min(step, n - s); env = np.exp(-np.arange(k, dtype=np.float32) / SR * rng.choice([0, 1, 4]))
            for _ in range(rng.randint(1, 3)):
                f = base * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12, 16, 19, 24]) / 12)
                for h in range(1, rng.randint(1, 5) + 1): y[s:s + k] += np.sin(2 * np.pi * f * h * t[:k] + rng.random() * 6) * env / h ** rng.uniform(.7, 2)
    if kind > .5:                                                    # drums
        step = int(rng.uniform(.15, .8) * SR)
        for s in range(0, n, step):
            k = min(step, n - s, SR // 4); e = np.exp(-np.arange(k, dtype=np.float32) / SR * rng.uniform(15, 60))
            y[s:s + k] += e * (nrng.standard_normal(k).astype(np.float32) if rng.random() < .5 else 2 * np.sin(2 * np.pi * rng.uniform(50, 120) * t[:k])) * rng.uniform(.3, 1.5)
    return (y / max(1e-3, np.abs(y).max())).astype(np.float16)


def noise(n):
    x = nrng.standard_normal(n).astype(np.float32); k = rng.random()
    if k < .3: x = np.convolve(x, np.ones(rng.choice([4, 16, 64])) / 8, "same").astype(np.float32)
    elif k < .4: x += 3 * np.sin(2 * np.pi * rng.choice([50, 60, 100]) * np.arange(n) / SR).astype(np.float32)
    return x * 10 ** rng.uniform(-5, -2.3)


MUSIC = [music(FULL) for _ in range(80)]


def make(full):
    """-> language, samples (padded), number of samples of content, utterances [(start, end, complete, [(word, start, end), ...], voice)] in seconds"""
    limit = FULL if full else int(rng.choice([5, 8, 12]) * SR); lang = rng.choice(["en", "en", "de"]); x = np.zeros(limit, np.float32)
    if rng.random() < .08:
        n = limit if rng.random() < .6 else int(rng.uniform(1, limit / SR) * SR); k = rng.random()
        if k < .55: x[:n] = MUSIC[rng.randrange(len(MUSIC))][:n] * 10 ** rng.uniform(-2, -.1)
        elif k < .8: x[:n] = noise(n) * rng.choice([1, 1, 5, 20])
        return lang, np.clip(x, -1, 1), n, []
    dense = full and rng.random() < .27                              # speech goes on beyond the end of the window
    target = 999 if dense else rng.choice([1, 2, 3, 3, 4, 6, 6, 8, 12, 12, 16, 20, 25, 30, 40])
    single = rng.random() < .45; many = rng.random() < .5
    cast = rng.sample(VOICES[lang], rng.choice([2, 2, 3, 5])) if many else [rng.choice(VOICES[lang])]
    gaps = rng.choice([(.05, .4), (.05, .4), (.05, 1.), (.3, 2.), (.02, .15)])
    pos = -rng.uniform(0, 1) * SR if dense and rng.random() < .5 else rng.uniform(0, .5) * SR if rng.random() < .8 else rng.uniform(.5, 4) * SR
    pos = int(pos); utts, count, voice, level = [], 0, cast[0], {v: 10 ** rng.uniform(-.4, .1) for v in cast}
    while count < target and pos < limit:
        if many and rng.random() < .5: voice = rng.choice(cast)
        d = rng.choice(POOL[lang, voice, single]); a = d[3].astype(np.float32) / 32768
        if rng.random() < .3: k = int(len(a) / rng.uniform(.92, 1.08)); a = np.interp(np.linspace(0, len(a) - 1, k), np.arange(len(a)), a).astype(np.float32)
        ws = d[1].split()
        if not dense and (pos + len(a) > limit or count + len(ws) > target + 3): break
        lo, hi = pos + 400, pos + len(a) - 800                       # generate.py leaves 25 ms before and 50 ms behind
        if hi <= lo: lo, hi = pos, pos + len(a)
        edge = np.cumsum([0] + [DUR[lang, w] + 800 for w in ws]); edge = (lo + edge / edge[-1] * (hi - lo)) / SR
        s, e = max(0, pos), min(limit, pos + len(a))
        if e > s: x[s:e] += a[s - pos:e - pos] * level[voice] * 10 ** rng.uniform(-.1, .1)
        words = [(w, max(0., p), min(limit / SR, q)) for w, p, q in zip(ws, edge, edge[1:]) if p + .35 * (q - p) >= 0 and p + .7 * (q - p) <= limit / SR]
        complete = edge[-1] <= limit / SR and len(words) > 0
        if words or 0 < lo < limit: utts.append((max(0., lo / SR), min(limit / SR, hi / SR), complete, words, voice))
        count += len(words); pos += len(a) - 1200 + int(rng.uniform(*gaps) * SR)
    if not any(u[3] for u in utts): return make(full)
    end = max(1600, min(limit, int(utts[-1][1] * SR + 800))); tail = rng.uniform(0, .8) * SR if rng.random() < .75 else rng.uniform(.5, 6) * SR
    n = limit if dense else min(limit, int(end + tail)); n = max(n, min(limit, 8000))
    x *= 10 ** rng.uniform(-1, .3)
    if rng.random() < .5: x[:n] += noise(n)
    if rng.random() < .06: x[:n] += MUSIC[rng.randrange(len(MUSIC))][:n] * np.abs(x).max() * 10 ** rng.uniform(-2, -1)
    x[n:] = 0
    return lang, np.clip(x, -1, 1), n, utts


def segments(utts):
    """Utterances joined into segments: a new one after a pause of 0.25 s, with another voice, or when it would be longer than 8 s."""
    S = []
    for s, e, ok, ws, v in utts:
        if not ok: return S, s
        if S and s - S[-1][1] < .25 and v == S[-1][3] and e - S[-1][0] <= 8: S[-1][1] = e; S[-1][2] += ws
        else: S.append([s, e, list(ws), v])
    return S, None


def random_words(lang, n): return [i for _ in range(n) for i in WID[rng.choice(EN if lang == "en" else list(DE))]]


def row(lang, utts, stamps):
    """-> tokens, index of the first token of the loss, [(index, kind of output, low, high)] places in seconds where the token at index is heard"""
    tr = lang == "de" and rng.random() < .33; out = "en" if tr else lang; T = []; place = []
    if rng.random() < .25:
        T = [PREV] + random_words(out, rng.randint(1, 12) if rng.random() < .6 else rng.randint(10, 40))
        if stamps and rng.random() < .5:
            t = 0; Q = [PREV]
            for w in T[1:]:
                if Q[-1] == PREV or rng.random() < .3:
                    if Q[-1] != PREV: Q.append(TS0 + t)
                    t = min(1500, t + rng.randint(0, 60)); Q.append(TS0 + t)
                Q.append(w); t = min(1500, t + rng.randint(15, 40))
            T = Q + [TS0 + t]
    start = len(T); T += [SOT, I(f"<|{lang}|>"), I("<|translate|>" if tr else "<|transcribe|>")]

    def say(ws):
        for w, p, q in ws:
            ids = WID[DE[w] if tr else w]
            for i in ids: place.append((len(T), p, q)); T.append(i)

    def stamp(t, edge):
        if edge: place.append((len(T), max(0, t - .1), t + .1))
        T.append(TS0 + min(1500, max(0, round(t * 50))))
    if not stamps: T.append(NOTS); [say(u[3]) for u in utts]
    elif not any(u[3] for u in utts): stamp(0, False)
    else:
        S, cut = segments(utts)
        for i, (s, e, ws, _) in enumerate(S):
            if i == 0 and (s > 1 or rng.random() < .15): stamp(1. if s > 1 and rng.random() < .8 else 0, False)   # loaders allow at most 1 s there, or 0
            else: stamp(s, True)
            say(ws); stamp(e, True)
        if cut is not None: stamp(min(cut, 1.) if not S else cut, bool(S))
    return T + [EOT], start, place


BLUR = torch.exp(-torch.arange(-4, 5) ** 2 / (2 * 1.5 ** 2)); BLUR /= BLUR.sum()


def decoder_loss(windows):
    """windows: [(encoder output, language, utterances)]; two rows each, sorted by length and decoded in two halves (less padding)"""
    rows = [(h, *row(lang, utts, k == 1 and rng.random() < .8), not utts) for h, lang, utts in windows for k in (0, 1)]
    rows.sort(key=lambda r: len(r[1])); half = len(rows) // 2; parts = [half_loss(rows[:half]), half_loss(rows[half:])]
    ce, n, guide, k, word, nw, ts = (sum(p[i] for p in parts) for i in range(7))
    return ce / n, guide / max(k, 1), word / max(nw, 1), ts


def half_loss(rows):
    L = max(len(r[1]) for r in rows) - 1; R = len(rows); X = torch.full((R, L), EOT); Y = torch.full((R, L), -100); frames = rows[0][0].shape[0]
    heard, read = torch.zeros(R, L, frames), torch.zeros(R, L, frames)
    for r, (_, T, s, place, empty) in enumerate(rows):
        X[r, :len(T) - 1] = torch.tensor(T[:-1]); Y[r, s:len(T) - 1] = torch.tensor(T[s + 1:])
        if empty: Y[r, s] = NOSP
        Y[r, s + 1] = -100
        if T[s + 3] == NOTS: Y[r, s + 2] = -100
        for i, p, q in place:
            a, b = max(0, int(p * 50) - 4), min(frames, int(q * 50) + 5)
            if i >= 1: heard[r, i - 1, a:b] = 1
            if i < L: read[r, i, a:b] = 1
    tab = table(); o = DEC(inputs_embeds=F.embedding(X, tab), encoder_hidden_states=torch.stack([r[0] for r in rows]), output_attentions=True, use_cache=False)
    ok = Y != -100; y = Y[ok]; lp = F.log_softmax(o.last_hidden_state[ok] @ tab.T, -1); is_ts = y >= TS0; word = y < EOT
    hard = -lp.gather(1, y[:, None])[:, 0]
    near = (y[is_ts][:, None] + torch.arange(-4, 5)).clamp(TS0, TS0 + 1500); soft = -(lp[is_ts].gather(1, near) * BLUR).sum()
    ce = .98 * (hard[~is_ts].sum() + soft) - .02 * lp[:, :TS0].mean(1).sum()
    off = (lp[is_ts][:, TS0:V].argmax(1) - (y[is_ts] - TS0)).abs().float().median().item() * 10 if is_ts.any() else 0.

    def look(att, mask):
        on = mask.any(-1); return -(((att[on] * mask[on]).sum(-1)) + 1e-5).log().sum()
    A = o.cross_attentions; on = max(1, int(heard.any(-1).sum())); guide = (look(A[-1][:, 0], heard) + look(A[-1][:, 1], heard) + look(A[0][:, 0], read)) / 3
    return ce, len(y), guide, on, hard[word].sum().item(), int(word.sum()), off


params = [p for n, p in m.named_parameters() if p.requires_grad] + list(ctc.parameters()) + list(where.parameters()) + [W]


@torch.no_grad()
def init_read_head(strength=1.):
    """Head 0 of the first decoder layer's cross-attention: let it find the word just read, with the CTC head's own (rank 32) word detectors as keys."""
    m.eval(); a = DEC.layers[0].encoder_attn; d = a.head_dim; c = ctc.weight - ctc.weight.mean(0); u, sv, vt = torch.linalg.svd(c, full_matrices=False)
    key = vt[:d] * sv[:d, None].sqrt(); query = u[:, :d] * sv[:d].sqrt() * strength * d ** .5; want = {}
    for w in WORDS: want[WID[w][0]] = query[CTC_ID[w]].clone()
    for g, e in DE.items():
        if g != e: want[WID[e][0]] += query[CTC_ID[g]]               # when translating
    seen = []; hook = a.q_proj.register_forward_pre_hook(lambda _, x: seen.append(x[0].detach())); X, Y = [], []
    for _ in range(40):
        b = make(True); h = encode(features(torch.from_numpy(b[1])[None], [b[2]])) if _ % 8 == 0 else h
        T, s, p = row(b[0], b[3], rng.random() < .4); T = torch.tensor([T]); DEC(inputs_embeds=F.embedding(T, table()), encoder_hidden_states=h, use_cache=False)
        X.append(seen[-1][0]); Y.append(torch.stack([want.get(t, torch.zeros(d)) for t in T[0].tolist()]))
    hook.remove(); X = torch.cat([torch.cat(X), torch.ones(sum(len(x) for x in X), 1)], 1); Y = torch.cat(Y)
    sol = torch.linalg.solve(X.T @ X + 3 * torch.eye(X.shape[1]), X.T @ Y); print("read head: fit", 1 - ((X @ sol - Y) ** 2).sum().item() / (Y ** 2).sum().item())
    a.q_proj.weight[:d] = sol[:-1].T; a.q_proj.bias[:d] = sol[-1]; a.k_proj.weight[:d] = key


@torch.no_grad()
def init_pointer():
    """Heads 0 and 1 of the last layer's cross-attention: point at the place that follows the one head 0 of the first layer has just read.
    All by least squares on made-up windows: where() from the encoder's output; the reading head's values carry the place; the queries aim at the next."""
    m.eval(); first, last = DEC.layers[0].encoder_attn, DEC.layers[-1].encoder_attn; d = last.head_dim; K = PLACES.shape[1]; one = lambda a: torch.cat([a, torch.ones(len(a), 1)], 1)
    solve = lambda X, Y, r: torch.linalg.solve(X.T @ X + r * torch.eye(X.shape[1]), X.T @ Y)
    wins = []
    while len(wins) < 48:
        b = make(True)
        if b[3]: wins.append((encode(features(torch.from_numpy(b[1])[None], [b[2]])), b))
    X = torch.cat([h[0, :b[2] // 320:2] for h, b in wins]); Y = torch.cat([PLACES[:b[2] // 320:2] for h, b in wins]); sol = solve(one(X), Y, 1.)
    where.weight.copy_(sol[:-1].T); where.bias.copy_(sol[-1]); print("place read-out: error by sinusoid", ((one(X) @ sol - Y) ** 2).mean(0).numpy().round(2))
    rows = [(h, *row(b[0], b[3], k == 1)) for h, b in wins for k in (0, 0, 1)]; seen = []
    hook = last.q_proj.register_forward_pre_hook(lambda _, x: seen.append(x[0][0].clone())); hook0 = DEC.layers[-1].encoder_attn_layer_norm.register_forward_pre_hook(lambda _, x: size.append(x[0].std().item())); size = []

    def gather():
        seen.clear(); X, Y, Z = [], [], []
        for h, T, s, place in rows:
            DEC(inputs_embeds=F.embedding(torch.tensor([T]), table()), encoder_hidden_states=h, use_cache=False)
            for j, p, q in place:
                if j >= 1: X.append(seen[-1][j - 1]); Y.append(PLACES[min(1499, int((p + q) * 25))]); Z.append((h, max(0, int(p * 50) - 4), int(q * 50) + 5))
        return one(torch.stack(X)), torch.stack(Y), Z
    X, Y, _ = gather(); print("next place known before", 1 - ((X @ solve(X, Y, 3.) - Y) ** 2).mean().item() / Y.var().item())
    first.v_proj.weight[:K] = where.weight; first.v_proj.bias[:K] = where.bias
    first.out_proj.weight[:, :K] = torch.randn(cfg.d_model, K) * .2 * float(np.mean(size))
    X, Y, Z = gather(); sol = solve(X, Y, 3.); fit = 1 - ((X @ sol - Y) ** 2).mean(0) / Y.var(0); print("next place known after", fit.mean().item(), fit.numpy().round(2))
    quiet = ctc.weight[0] - ctc.weight[1:].mean(0); Q = X @ sol; best = None; pick = random.Random(0).sample(range(len(Z)), 400)
    for beta in (1., 2., 4., 7.):
        for gamma in (0., .15, .3, .6):
            mass = np.mean([F.softmax(beta * where(Z[i][0][0]) @ Q[i] - gamma * (Z[i][0][0] @ quiet), 0)[Z[i][1]:Z[i][2]].sum().item() for i in pick])
            if best is None or mass > best[0]: best = (mass, beta, gamma)
    print("pointer: mass on the next word, strength, shyness of silence", best); _, beta, gamma = best
    for n, f in ((0, 1.), (1, .6)):                                  # the second head wider
        r = slice(n * d, n * d + K); k = n * d + K; root = (beta * f) ** .5
        last.k_proj.weight[n * d:(n + 1) * d] *= .1; last.q_proj.weight[n * d:(n + 1) * d] *= .1; last.q_proj.bias[n * d:(n + 1) * d] *= .1
        last.k_proj.weight[r] = where.weight * root; last.q_proj.weight[r] = sol[:-1].T * root * d ** .5; last.q_proj.bias[r] = sol[-1] * root * d ** .5
        last.k_proj.weight[k] = -quiet * gamma / d ** .5; last.q_proj.weight[k] = 0; last.q_proj.bias[k] = d
    hook.remove(); hook0.remove()


def materialise(sd, w):
    sd = {k: v.clone() for k, v in sd.items()}
    for k in ("model.decoder.embed_tokens.weight", "proj_out.weight"): sd[k][TS0:V] = SIN @ w
    return sd


def save(path):
    av = {k: e.clone() for k, e in ema.items()}
    torch.save({"m": materialise(av, ema_w), "raw": materialise(m.state_dict(), W.data), "ctc": ctc.state_dict(), "W": ema_w.clone(), "where": where.state_dict(), "pointer": True, "cfg": state["cfg"], "step": step}, path)


if __name__ == "__main__":
    step = 0; t0 = time.time(); last = t0; memory = []; total = MINUTES * 60; run = {}
    ema = {k: v.clone() for k, v in m.state_dict().items()}; ema_w = W.data.clone()
    if "where" not in state: init_read_head()
    if "pointer" not in state: init_pointer(); ema = {k: v.clone() for k, v in m.state_dict().items()}
    opt = torch.optim.AdamW(params, lr=PEAK_LR, weight_decay=.01, betas=(.9, .98)); m.train()
    print("parameters", sum(p.numel() for p in params), "utterances", len(data), flush=True)
    while (now := time.time() - t0) < total:
        lr = PEAK_LR * min(1, (step + 1) / 40) * max(.01, .5 + .5 * math.cos(math.pi * now / total))
        for g in opt.param_groups: g["lr"] = lr
        full = rng.random() < .85; batch = [make(full) for _ in range(BATCH if full else 3 * BATCH)]
        n = max(len(b[1]) for b in batch); X = torch.zeros(len(batch), n)
        for i, b in enumerate(batch): X[i, :len(b[1])] = torch.from_numpy(b[1])
        h = encode(features(X, [b[2] for b in batch])); prep = time.time() - t0 - now
        tl = [torch.tensor([CTC_ID[w] for u in b[3] for w, _, _ in u[3]], dtype=torch.long) for b in batch]
        cl = F.ctc_loss(F.log_softmax(ctc(h), -1).transpose(0, 1), torch.cat(tl), torch.full((len(batch),), h.shape[1]), torch.tensor([len(q) for q in tl]), zero_infinity=True)
        ce, guide, word, ts = decoder_loss([(h[i], b[0], b[3]) for i, b in enumerate(batch)]); inside = torch.arange(h.shape[1])[None] < torch.tensor([b[2] // 320 for b in batch])[:, None]
        pos = F.mse_loss(where(h)[inside], PLACES[:h.shape[1]].expand(len(h), -1, -1)[inside])
        loss = ce + .4 * cl + GUIDE * guide + 3. * pos
        opt.zero_grad(); loss.backward(); norm = torch.nn.utils.clip_grad_norm_(params, 1.)
        if torch.isfinite(norm): opt.step()
        if full: memory += [(h[i].detach(), b[0], b[3]) for i, b in enumerate(batch)]; memory = memory[-240:]
        for _ in range(REPLAYS if len(memory) >= 24 else 0):        # decoder alone, on encoder outputs of the last 30 steps with texts of like length
            size = sorted(memory, key=lambda w: sum(len(u[3]) for u in w[2]) + rng.random()); k = rng.randrange(len(size) - BATCH + 1)
            c, g, w_, _ = decoder_loss(size[k:k + BATCH]); opt.zero_grad(); (c + GUIDE * g).backward()
            torch.nn.utils.clip_grad_norm_(params, 1.); opt.step(); run["replay"] = .98 * run.get("replay", w_) + .02 * w_
        step += 1; decay = min(.995, 1 - 1 / (step / 5 + 1))
        with torch.no_grad():
            for k, v in m.state_dict().items(): ema[k].lerp_(v, 1 - decay)
            ema_w.lerp_(W.data, 1 - decay)
        for k, v in dict(ctc=cl.item(), pos=pos.item(), ce=ce.item(), word=word, guide=guide.item(), ts_ms=ts, s=time.time() - t0 - now).items():
            if v == v: run[k] = v if k not in run else .96 * run[k] + .04 * v
        if step % 25 == 0: print(step, f"{time.time() - t0:.0f}s", *(f"{k} {v:.3f}" for k, v in run.items()), f"lr {lr:.1e}", flush=True)
        if time.time() - last > 300: last = time.time(); save(OUT)
    save(OUT); print("done", step, flush=True)
