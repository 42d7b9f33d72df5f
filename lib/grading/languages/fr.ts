import type { LanguageData } from "./language-data.js";

export const french: LanguageData = {
  tag: "fr",
  splitsAtApostrophe: true,
  functionWords: {
    articles: "le la les l un une des du de d au aux",
    pronouns: `
      je j tu il elle on nous vous ils elles me m te t se s lui leur y en moi toi soi eux mon ma mes
      ton ta tes son sa ses notre nos votre vos leurs mien mienne miens miennes tien tienne tiens
      tiennes sien sienne siens siennes nôtre nôtres vôtre vôtres ce c cet cette ces ça cela ceci
      celui celle ceux celles qui que qu quoi dont où quel quelle quels quelles lequel laquelle
      lesquels lesquelles auquel auxquels auxquelles duquel desquels desquelles quelqu quelque
      quelques quelqu'un chacun chacune
    `,
    negations: "ne n pas plus jamais rien personne aucun aucune ni non guère",
    auxiliaries: `
      être étant été suis es est sommes êtes sont étais était étions étiez étaient serai seras sera
      serons serez seront serais serait serions seriez seraient sois soit soyons soyez soient fus fut
      fûmes fûtes furent avoir ayant eu ai as a avons avez ont avais avait avions aviez avaient aurai
      auras aura aurons aurez auront aurais aurait aurions auriez auraient aie aies ait ayons ayez
      aient eus eut eûmes eûtes eurent vais vas va allons allez vont
    `,
    particles: "ci là oui si",
  },
  wordsWithoutApostrophe: `
    la las les lest lavis lune laide lange larme livre deux mont lire ma mas mes ta tas tes sa dune
    dont non quelle quelles
  `,
  realWordPairs: `
    poisson poison, poisson boisson, dessert désert, cousin coussin, cheveux chevaux, maison saison,
    maison raison, saison raison, raison raisin, matin marin, gâteau bateau, chapeau château,
    verre terre, livre libre, livre lire, livre vivre, litre titre, lettre mettre, mètre mettre,
    porte poste, porte perte, pomme homme, pomme somme, comme homme, comme pomme, femme ferme,
    plage page, plage place, place glace, rouge bouge, rouge route, route roue, boire poire,
    boîte boire, noire poire, savoir avoir, toile étoile, veille vieille, fille file, fille ville,
    salle sale, savon salon, salade malade, manger ranger, manger danger, changer chanter,
    vendre rendre, ouvrir couvrir, courir couvrir, courir mourir, jouer louer, laver lever,
    tante tente, blanc banc, jaune jeune, bonne donne, bouche douche, bouche mouche, poche proche,
    campagne compagne, bruit fruit, monde mode, porter poster, vache tache, balle belle, balle salle
  `,
  endings: `
    - e s es x ent t, - r z, al aux ale ales,
    e es ons ez ent er é ée és ées ai as a ais ait ions iez aient ant, s t,
    i ie is ies it ir issons issez issent issais issait, u ue us ues,
    rai ras ra rons rez ront rais rait rions riez raient, eur euse eurs euses eux rice,
    if ive ifs ives, en enne ens ennes, on onne ons onnes, er ère ers ères
  `,
  spellerPairs: `
    a à, ou où, la là, du dû, des dès, sur sûr, mur mûr, cote côte, cote côté, côte côté,
    notre nôtre, votre vôtre, jeune jeûne, tache tâche, pêche péché, pécheur pêcheur, foret forêt,
    roder rôder, marche marché, parle parlé, mange mangé, ferme fermé, entre entré, passe passé,
    ça sa, ce se, ces ses, c'est s'est, et est, on ont, son sont, mes mais, peu peut, peut peux,
    quel qu'elle, ma m'a, ta t'a, si s'y, ni n'y, dans d'en, sans s'en, leur leurs, vert verre,
    mer mère, fois foie, cours court
  `,
  numbers: `
    zéro, un / une, deux, trois, quatre, cinq, six, sept, huit, neuf, dix, onze, douze, treize,
    quatorze, quinze, seize, dix-sept, dix-huit, dix-neuf, vingt, vingt-et-un / vingt-et-une,
    vingt-deux, vingt-trois, vingt-quatre, vingt-cinq, vingt-six, vingt-sept, vingt-huit,
    vingt-neuf, trente, trente-et-un / trente-et-une, trente-deux, trente-trois, trente-quatre,
    trente-cinq, trente-six, trente-sept, trente-huit, trente-neuf, quarante,
    quarante-et-un / quarante-et-une, quarante-deux, quarante-trois, quarante-quatre, quarante-cinq,
    quarante-six, quarante-sept, quarante-huit, quarante-neuf, cinquante,
    cinquante-et-un / cinquante-et-une, cinquante-deux, cinquante-trois, cinquante-quatre,
    cinquante-cinq, cinquante-six, cinquante-sept, cinquante-huit, cinquante-neuf, soixante,
    soixante-et-un / soixante-et-une, soixante-deux, soixante-trois, soixante-quatre, soixante-cinq,
    soixante-six, soixante-sept, soixante-huit, soixante-neuf, soixante-dix / septante,
    soixante-et-onze / septante-et-un, soixante-douze / septante-deux,
    soixante-treize / septante-trois, soixante-quatorze / septante-quatre,
    soixante-quinze / septante-cinq, soixante-seize / septante-six,
    soixante-dix-sept / septante-sept, soixante-dix-huit / septante-huit,
    soixante-dix-neuf / septante-neuf, quatre-vingts / quatre-vingt / huitante / octante,
    quatre-vingt-un / quatre-vingt-une / huitante-et-un / octante-et-un,
    quatre-vingt-deux / huitante-deux / octante-deux,
    quatre-vingt-trois / huitante-trois / octante-trois,
    quatre-vingt-quatre / huitante-quatre / octante-quatre,
    quatre-vingt-cinq / huitante-cinq / octante-cinq, quatre-vingt-six / huitante-six / octante-six,
    quatre-vingt-sept / huitante-sept / octante-sept,
    quatre-vingt-huit / huitante-huit / octante-huit,
    quatre-vingt-neuf / huitante-neuf / octante-neuf, quatre-vingt-dix / nonante,
    quatre-vingt-onze / nonante-et-un, quatre-vingt-douze / nonante-deux,
    quatre-vingt-treize / nonante-trois, quatre-vingt-quatorze / nonante-quatre,
    quatre-vingt-quinze / nonante-cinq, quatre-vingt-seize / nonante-six,
    quatre-vingt-dix-sept / nonante-sept, quatre-vingt-dix-huit / nonante-huit,
    quatre-vingt-dix-neuf / nonante-neuf, cent
  `,
};
