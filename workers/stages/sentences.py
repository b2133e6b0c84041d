"""Split text into sentences without NLTK's data files.

The algorithm is Punkt (Kiss & Strunk 2006).
"""

from __future__ import annotations

from functools import cache

from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

# lower case and without the final full stop, as Punkt expects
ABBREVIATIONS = {
    "english": (
        "a.d a.m apr approx assn aug ave b.c blvd bros capt cf co col corp d.c dec dept dr ed e.g eq est et.al feb fig "
        "figs gen gov hon i.e inc jan jr jul jun lt ltd maj mar mr mrs ms mt mts nov oct op p.m ph.d pp prof pvt rep "
        "rev sec sen sept sgt sr st u.k u.n u.s vol vs"
    ),
    "german": (
        "abb abs bd bsp bspw bzgl bzw ca d.h dipl dr etc evtl fr frl geb ggf hr hrsg inkl jh max mind min mio mrd nr "
        "o.ä o.g prof s.o s.u sog st str tel u.a u.u usw v.a vgl z.b z.t zzgl"
    ),
}


@cache
def load_splitter(resource: str) -> PunktSentenceTokenizer:
    """Load the splitter for an NLTK resource.

    Such as ``tokenizers/punkt_tab/german.pickle``. Languages without a list of abbreviations use the English one.
    """
    language = resource.rpartition("/")[2].removesuffix(".pickle")
    parameters = PunktParameters()
    parameters.abbrev_types = set(ABBREVIATIONS.get(language, ABBREVIATIONS["english"]).split())
    return PunktSentenceTokenizer(parameters)
