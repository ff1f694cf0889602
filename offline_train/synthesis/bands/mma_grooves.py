"""The grooves of MMA's standard library that accompany songs: those to train on, those held out.

The two sets share no style file, so that a model can be evaluated on bands not in training. Left
out are introductions, fills and endings, marches, and what no pop band plays. Not here: playing
them (``mma``).
"""

from collections.abc import Iterator
from typing import NamedTuple

# Beats a bar of the grooves: style file of MMA's standard library, then its grooves.
_TRAIN_STYLES = {
    4: """
        50srock: 50sRock 50sRockPlus 50sRockSusPlus; 60srock: 60sRock 60sRock1 60sRockPlus
        8beat: 8Beat 8Beat1 8BeatWalk; arpeggio44: Arpeggio4 Arpeggio8; basicrock: BasicRock
        ballad: Ballad Ballad1 BalladPlus; ballad68: Ballad68 Ballad68Plus Ballad68SusPlus
        ballad128: Ballad128 Ballad128Plus Ballad128SusPlus; beguine: Beguine Beguine1
        bigband: BigBand BigBandPlus BigBandSusPlus; bluefolk: BlueFolk BlueFolk2 BlueFolkPlus
        bluegrass: BlueGrass; blues: Blues Blues1; blues128: Blues128 Blues128Plus Blues128SusPlus
        boggiewoggie: BoggieWoggie BoggieWoggie1; bolero: Bolero Bolero1
        bossanova: BossaNova BossaNovaPlus BossaNovaSusPlus; bvfunk: BVFunk
        broadway: Broadway Broadway1 Broadway2; calypso: Calypso CalypsoPlus
        bubblerock: BubbleRock BubbleRockPlus BubbleRockSusPlus; chacha: ChaCha ChaCha1
        countryblues: CountryBlues CountryBluesWalk CountryBlues1
        cubanguitar: CubanGuitar CubanGuitarPlus CubanGuitarSusPlus
        dsoul: DSoul DSoulPlus DSoulSusPlus; easyswing: EasySwing EasySwingWalk EasySwing1
        folk: Folk FolkWalk; folkballad: FolkBallad FolkBallad1 FolkBalladPlus
        foxtrot: Foxtrot FoxTrotPlus FoxTrotSusPlus; guitarballad: GuitarBallad GuitarBallad1
        hillcountry: HillCountry HillCountryPlus HillCountrySusPlus
        jazzguitar: JazzGuitar JazzGuitar1
        jazzrhumba: JazzRhumba JazzRhumbaPlus JazzRhumbaSusPlus
        jazzrock: JazzRock JazzRockPlus; jive: Jive JivePlus JiveSusPlus
        lfusion: LFusion LFusion1; lighttango: LightTango LightTango1
        lullaby: Lullaby Lullaby1 LullabyWalk; mambo: Mambo Mambo1 Mambo2
        mellowjazz: MellowJazz MellowJazzPlus MellowJazzSusPlus
        merengue: Merengue Merengue1 Merengue2; nitejazz: NiteJazz NiteJazzPlus NiteJazzSusPlus
        pianoballad: PianoBallad PianoBallad1 PianoBallad2; polka: Polka Polka1
        popspiritual: PopSpiritual PopSpiritualPlus PopSpiritualSusPlus
        quickstep: QuickStep QuickStepWalk; rb: R&B R&BPlus R&BSusPlus; rhumba: Rhumba Rhumba1
        rock-128: Rock128 Rock128Plus Rock128SusPlus; rockballad: RockBallad RockBallad1
        salsa: Salsa SalsaPlus SalsaSusPlus; showtune: ShowTune ShowTune1 ShowTune2
        shuffleboggie: ShuffleBoggie ShuffleBoggie1
        slowbolero: SlowBolero SlowBoleroPlus SlowBoleroSusPlus
        slowcountry: SlowCountry SlowCountryWalk SlowCountryPlus
        slowjazz: SlowJazz SlowJazzPlus
        slowspiritual: SlowSpiritual SlowSpiritualPlus SlowSpiritualSusPlus
        softshoe: Softshoe SoftShoePlus SoftShoeSusPlus; son: Son SonPlus SonSusPlus
        spiritual: Spiritual SpiritualPlus SpiritualSusPlus
        stringballad: StringBallad StringBalladStrum StringBalladVoiceStrum; strut: Strut Strut2
        swing: Swing SwingWalk SwingPlus; tango: Tango Tango1 TangoCleanPlus
        trance: Trance Trance1 Trance2; twist: Twist; zydeco: Zydeco ZydecoPlus ZydecoSusPlus
        westernswing: WesternSwing WesternSwingPlus WesternSwingSusPlus
    """,
    3: """
        afro-cuban: Afro-Cuban Afro-CubanPlus Afro-CubanSusPlus; arpeggiowaltz: ArpeggioWaltz
        broadwaywaltz: BroadwayWaltz BroadwayWaltz1; frenchwaltz: FrenchWaltz FrenchWaltz1
        countrywaltz: CountryWaltz CountryWaltz1 CountryWaltz2; jazzwaltz: JazzWaltz JazzWaltz1
        latinwaltz: LatinWaltz LatinWaltzPlus LatinWaltzSusPlus; waltz: Waltz Waltz1 WaltzWalk
        rockwaltz: RockWaltz RockWaltz1 RockWaltzWalk; vienesewaltz: VieneseWaltz VieneseWaltz1
    """,
    6: "68swing: 68Swing 68Swing1 68Swing2; arpeggio68: Arpeggio68",
}
_HELD_OUT_STYLES = {
    4: """
        boneym: BoneyMPlus; countryswing: CountrySwing; folkrock: FolkRockPlus; samba: SambaPlus
        popballad: PopBallad; rb-ballad: R&B-BalladPlus; jazzcombo: JazzCombo; ska: Ska
        slowblues: SlowBlues; softrock: SoftRock
    """,
    3: "fastwaltz: FastWaltzPlus",
    6: "blues68: Blues68Plus",
}


class Style(NamedTuple):
    """A style file of MMA's library, and the beats of its bar."""

    name: str
    beats: int


def _catalogue() -> Iterator[tuple[str, Style]]:
    for styles in (_TRAIN_STYLES, _HELD_OUT_STYLES):
        for beats, text in styles.items():
            for entry in text.replace("\n", ";").split(";"):
                style, _, names = entry.strip().partition(":")
                yield from ((name, Style(style, beats)) for name in names.split())


STYLE_OF_GROOVE = dict(_catalogue())
"""Style file and beats a bar of each groove named here."""


def _names(styles: dict[int, str]) -> tuple[str, ...]:
    words = " ".join(styles.values()).replace(";", " ").split()
    return tuple(word for word in words if not word.endswith(":"))


TRAIN_GROOVES_MMA = _names(_TRAIN_STYLES)
HELD_OUT_GROOVES_MMA = _names(_HELD_OUT_STYLES)
