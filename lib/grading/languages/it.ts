import type { LanguageData } from "./language-data.js";

export const italian: LanguageData = {
  tag: "it",
  splitsAtApostrophe: true,
  functionWords: {
    articles: `
      il lo la i gli le l un uno una del dello della dell dei degli delle al allo alla all ai agli
      alle dal dallo dalla dall dai dagli dalle nel nello nella nell nei negli nelle sul sullo sulla
      sull sui sugli sulle col coi
    `,
    pronouns: `
      io tu lui lei egli ella esso essa noi voi loro essi esse mi ti si ci vi ne me te sé ce ve glielo
      gliela glieli gliele gliene mio mia miei mie tuo tua tuoi tue suo sua suoi sue nostro nostra
      nostri nostre vostro vostra vostri vostre questo questa questi queste quest quello quella quelli
      quelle quell quel quei quegli ciò chi che cui quale quali qual quanto quanta quanti quante
      qualcuno qualcuna qualcosa ognuno ognuna
    `,
    negations: "no non né mai niente nulla nessuno nessuna nessun neanche nemmeno neppure più mica",
    auxiliaries: `
      essere essendo stato stata stati state sono sei è siamo siete ero eri era eravamo eravate erano
      sarò sarai sarà saremo sarete saranno sarei saresti sarebbe saremmo sareste sarebbero sia siate
      siano fui fosti fu fummo foste furono fossi fosse fossimo fossero avere avendo avuto ho hai ha
      abbiamo avete hanno avevo avevi aveva avevamo avevate avevano avrò avrai avrà avremo avrete
      avranno avrei avresti avrebbe avremmo avreste avrebbero abbia abbiate abbiano ebbi avesti ebbe
      avemmo aveste ebbero avessi avesse avessimo avessero sto stai sta stiamo stanno stavo stavi
      stava stavamo stavate stavano posso puoi può possiamo potete possono devo devi deve dobbiamo
      dovete devono voglio vuoi vuole vogliamo volete vogliono
    `,
    particles: "a sì ecco",
  },
  contractions: "dov'è: dove è, cos'è: cosa è, com'è: come è, quand'è: quando è",
  wordsWithoutApostrophe: `
    luna lama lira lacca lente lotto allora alloro vera lago loro letto duna cera cero centro centra
  `,
  realWordPairs: `
    caro carro, capello cappello, pena penna, nono nonno, nona nonna, pala palla, sono sonno,
    sete sette, casa cassa, rosa rossa, fato fatto, note notte, copia coppia, polo pollo,
    cane carne, carne carte, letto tetto, letto detto, tetto petto, vento cento, cento conto,
    conto canto, conto corto, corto certo, corto morto, porta posta, porta torta, ponte monte,
    ponte fonte, gente mente, dente gente, gatto fatto, gatto matto, piatto pianto, pieno piano,
    treno freno, capo campo, mondo fondo, palla spalla, sella stella, stalla stella, cucina cugina,
    scuola suola, giallo gallo, cuoco fuoco, lago largo, scarpa sciarpa, lavare levare,
    cantare contare, vedere vendere, vedere cedere, credere cedere, aprile aprire, pulire punire,
    guidare gridare, nuotare notare, fermare formare, fermare firmare, latte gatte, mare madre,
    padre pare, libro libero, sentire mentire, pesce pesche, tavola favola, bello bollo, sera serra,
    papa pappa
  `,
  endings: `
    o a i e, co chi ci ca che, go ghi gi ga ghe, io ia ie i,
    o i a e iamo amo ate ete ite ano ono are ere ire, - no, vo vi va vamo vate vano,
    rò rai rà remo rete ranno rei resti rebbe remmo reste rebbero, ai asti ò ammo aste arono,
    are ato ata ati ate ando, ere uto uta uti ute endo, ire ito ita iti ite endo, - e i,
    tore trice tori trici
  `,
  spellerPairs: `
    e è, da dà, la là, li lì, si sì, se sé, ne né, te tè, di dì, o ho, ai hai, a ha, anno hanno,
    meta metà, papa papà, pero però, casino casinò, parlo parlò, mangio mangiò, arrivo arrivò,
    sara sarà, faro farò, lavoro lavorò, compro comprò, torno tornò, entro entrò, porto portò,
    luna l'una, lago l'ago, loro l'oro, cera c'era
  `,
  numbers: `
    zero, uno / un / una / un', due, tre, quattro, cinque, sei, sette, otto, nove, dieci, undici,
    dodici, tredici, quattordici, quindici, sedici, diciassette, diciotto, diciannove, venti,
    ventuno / ventun, ventidue, ventitré, ventiquattro, venticinque, ventisei, ventisette, ventotto,
    ventinove, trenta, trentuno / trentun, trentadue, trentatré, trentaquattro, trentacinque,
    trentasei, trentasette, trentotto, trentanove, quaranta, quarantuno / quarantun, quarantadue,
    quarantatré, quarantaquattro, quarantacinque, quarantasei, quarantasette, quarantotto,
    quarantanove, cinquanta, cinquantuno / cinquantun, cinquantadue, cinquantatré, cinquantaquattro,
    cinquantacinque, cinquantasei, cinquantasette, cinquantotto, cinquantanove, sessanta,
    sessantuno / sessantun, sessantadue, sessantatré, sessantaquattro, sessantacinque, sessantasei,
    sessantasette, sessantotto, sessantanove, settanta, settantuno / settantun, settantadue,
    settantatré, settantaquattro, settantacinque, settantasei, settantasette, settantotto,
    settantanove, ottanta, ottantuno / ottantun, ottantadue, ottantatré, ottantaquattro,
    ottantacinque, ottantasei, ottantasette, ottantotto, ottantanove, novanta, novantuno / novantun,
    novantadue, novantatré, novantaquattro, novantacinque, novantasei, novantasette, novantotto,
    novantanove, cento
  `,
};
