import type { LanguageData } from "./language-data.js";

export const german: LanguageData = {
  tag: "de",
  hasUmlauts: true,
  functionWords: {
    articles: `
      der die das den dem des ein eine einen einem einer eines am ans beim im ins vom zum zur
    `,
    pronouns: `
      ich du er sie es wir ihr mich dich ihn uns euch mir dir ihm ihnen sich man mein meine meinen
      meinem meiner meines dein deine deinen deinem deiner deines sein seine seinen seinem seiner
      seines ihre ihren ihrem ihrer ihres unser unsere unseren unserem unserer unseres euer eure euren
      eurem eurer eures dieser diese dieses diesen diesem jener jene jenes jenen jenem jeder jede
      jedes jeden jedem welcher welche welches welchen welchem derselbe dieselbe dasselbe denen deren
      dessen wer wen wem wessen was jemand jemanden jemandem etwas alle alles allen allem aller
      einander selbst selber
    `,
    negations: `
      nicht kein keine keinen keinem keiner keines nie niemals niemand niemanden niemandem nichts nein
      weder noch ohne
    `,
    auxiliaries: `
      bin bist ist sind seid war warst waren wart wäre wärst wären wärt gewesen sei haben habe hast
      hat habt hatte hattest hatten hattet hätte hättest hätten hättet gehabt werden werde wirst wird
      werdet wurde wurdest wurden wurdet würde würdest würden würdet geworden worden können kann
      kannst könnt konnte konntest konnten konntet könnte könntest könnten könntet müssen muss musst
      müsst musste musstest mussten musstet müsste müsstest müssten müsstet dürfen darf darfst dürft
      durfte durftest durften durftet dürfte dürftest dürften dürftet sollen soll sollst sollt sollte
      solltest sollten solltet wollen will willst wollt wollte wolltest wollten wolltet mögen mag
      magst mögt mochte mochtest mochten mochtet möchte möchtest möchten möchtet
    `,
    particles: `
      zu ja doch mal denn schon eben halt ab an auf aus bei ein hin her los mit nach um vor weg zurück
    `,
  },
  contractions: `
    geht's: geht es, gibt's: gibt es, hab's: habe es, hat's: hat es, ist's: ist es, war's: war es,
    wird's: wird es, wie's: wie es, ich's: ich es, du's: du es
  `,
  realWordPairs: `
    kirche kirsche, kuchen kochen, kuchen suchen, machen lachen, machen wachen, tasse kasse,
    klasse kasse, messer besser, mutter butter, mutter muster, tisch fisch, fisch frisch,
    woche wache, sonne tonne, nacht macht, nacht nackt, nacht acht, licht leicht, leute heute,
    stadt staat, stadt statt, stunde sünde, hunde kunde, hunde runde, freude freunde, fragen tragen,
    sagen wagen, sagen magen, fahren führen, hoffen offen, offen ofen, kaufen laufen,
    verkaufen verlaufen, warten garten, warten karten, garten karten, kennen können, kennen nennen,
    kennen rennen, leben lieben, geben leben, lesen lösen, bieten bitten, liegen fliegen,
    legen liegen, schießen schließen, stehen sehen, gehen sehen, singen sinken, denken danken,
    denken decken, teller keller, keller kellner, zimmer immer, bäume räume, traum raum,
    feuer teuer, steuer teuer, bauer mauer, sauer mauer, preis reis, kreis preis, reise leise,
    seite seife, seite saite, wetter vetter, tante tanne, hafen hasen, regen legen, brille grille,
    lieder leider
  `,
  endings: `
    - e en er es em ens, - n s, - e en st t est et te test ten tet end, er ern, - in innen,
    ig ige igen iger iges igem
  `,
  spellerPairs: `
    schon schön, das dass, seid seit, wieder wider, mal mahl, man mann, den denn, wen wenn, ihm im,
    ihn in, ihnen innen, masse maße, busse buße, konnte könnte, konnten könnten, musste müsste,
    wurde würde, wurden würden, hatte hätte, hatten hätten, waren wären, ware wäre, mochte möchte,
    durfte dürfte, fordern fördern, drucken drücken, zahlen zählen, bruder brüder, mutter mütter,
    vater väter, tochter töchter, apfel äpfel, vogel vögel, garten gärten, laden läden, lasst lässt,
    fahrt fährt, schwül schwul, lied lid, meer mehr, wahr war, stadt statt, tod tot
  `,
  numbers: `
    null, eins / ein / eine / einen / einem / einer / eines, zwei / zwo, drei, vier, fünf, sechs,
    sieben, acht, neun, zehn, elf, zwölf, dreizehn, vierzehn, fünfzehn, sechzehn, siebzehn,
    achtzehn, neunzehn, zwanzig, einundzwanzig, zweiundzwanzig, dreiundzwanzig, vierundzwanzig,
    fünfundzwanzig, sechsundzwanzig, siebenundzwanzig, achtundzwanzig, neunundzwanzig, dreißig,
    einunddreißig, zweiunddreißig, dreiunddreißig, vierunddreißig, fünfunddreißig, sechsunddreißig,
    siebenunddreißig, achtunddreißig, neununddreißig, vierzig, einundvierzig, zweiundvierzig,
    dreiundvierzig, vierundvierzig, fünfundvierzig, sechsundvierzig, siebenundvierzig,
    achtundvierzig, neunundvierzig, fünfzig, einundfünfzig, zweiundfünfzig, dreiundfünfzig,
    vierundfünfzig, fünfundfünfzig, sechsundfünfzig, siebenundfünfzig, achtundfünfzig,
    neunundfünfzig, sechzig, einundsechzig, zweiundsechzig, dreiundsechzig, vierundsechzig,
    fünfundsechzig, sechsundsechzig, siebenundsechzig, achtundsechzig, neunundsechzig, siebzig,
    einundsiebzig, zweiundsiebzig, dreiundsiebzig, vierundsiebzig, fünfundsiebzig, sechsundsiebzig,
    siebenundsiebzig, achtundsiebzig, neunundsiebzig, achtzig, einundachtzig, zweiundachtzig,
    dreiundachtzig, vierundachtzig, fünfundachtzig, sechsundachtzig, siebenundachtzig,
    achtundachtzig, neunundachtzig, neunzig, einundneunzig, zweiundneunzig, dreiundneunzig,
    vierundneunzig, fünfundneunzig, sechsundneunzig, siebenundneunzig, achtundneunzig,
    neunundneunzig, hundert / einhundert
  `,
};
