import type { LanguageData } from "./language-data.js";

export const portuguese: LanguageData = {
  tag: "pt",
  functionWords: {
    articles: `
      o a os as um uma uns umas ao aos à às do da dos das no na nos nas pelo pela pelos pelas num numa
      nuns numas dum duma
    `,
    pronouns: `
      eu tu você ele ela nós vós vocês eles elas me te se lhe lhes vos mim ti si comigo contigo
      consigo conosco connosco convosco meu minha meus minhas teu tua teus tuas seu sua seus suas
      nosso nossa nossos nossas vosso vossa vossos vossas dele dela deles delas este esta estes estas
      isto esse essa esses essas isso aquele aquela aqueles aquelas aquilo deste desta disto desse
      dessa disso daquele daquela neste nesta nisto nesse nessa nisso naquele naquela àquele àquela
      que quê quem qual quais quanto quanta quantos quantas cujo cuja alguém algum alguma alguns
      algumas algo
    `,
    negations: "não nem nunca jamais nada ninguém nenhum nenhuma nenhuns nenhumas tampouco",
    auxiliaries: `
      ser sendo sido sou és é somos sois são era eras éramos eram fui foste foi fomos foram serei
      serás será seremos serão seria seríamos seriam seja sejas sejamos sejam fosse fôssemos fossem
      estar estando estado estou estás está estamos estão estava estavas estávamos estavam estive
      esteve estivemos estiveram estarei estará estaremos estarão estaria estariam esteja estejamos
      estejam ter tendo tido tenho tens tem temos têm tinha tinhas tínhamos tinham tive teve tivemos
      tiveram terei terá teremos terão teria teríamos teriam tenha tenhamos tenham haver há havia
      houve haverá haveria haja vou vais vai vamos vão
    `,
    particles: "a sim que",
  },
  realWordPairs: `
    caro carro, muro murro, coro corro, coelho joelho, janela panela, queijo queixo, quarto quatro,
    ponte fonte, ponte monte, vento cento, tempo templo, caminho carinho, banco barco, banco branco,
    braço traço, molho olho, filho milho, filha folha, folha rolha, vinho ninho, cinto cinco,
    grande grade, gente mente, gente dente, sonho sono, conta ponta, porta ponta, porta torta,
    parte carte, cantar contar, contar cortar, comprar comparar, falar calar, lavar levar,
    pagar pegar, pegar negar, passar passear, correr morrer, cabelo camelo, cansado casado,
    viagem virgem, livro litro, prato pato, preto perto, carta cara, fruta furta
  `,
  endings: `
    o a os as, - s, - es a as, ão ões ãos ães ã ãs, l is, m ns, - m r,
    o as es a e amos emos imos ais eis is am em ar er ir, ei aste ou amos aram o a,
    i este eu emos eram iste iu imos iram o e, ava avas ávamos avam, ia ias íamos iam,
    rei rás rá remos rão ria rias ríamos riam, ar ado ada ados adas ando,
    er ir ido ida idos idas endo indo
  `,
  spellerPairs: `
    e é, esta está, avó avô, a à, as às, da dá, de dê, por pôr, pode pôde, tem têm, vem vêm,
    nos nós, mas más, la lá, sabia sábia, sabia sabiá, secretaria secretária, pais país, sai saí,
    cai caí, para pára, publico público, coco cocô, forma fôrma, baba babá, maio maiô, bebe bebê,
    falara falará, fabrica fábrica, ha há, mas mais, mal mau, há a, onde aonde, manha manhã,
    romã roma
  `,
  numbers: `
    zero, um / uma, dois / duas, três, quatro, cinco, seis, sete, oito, nove, dez, onze, doze,
    treze, catorze / quatorze, quinze, dezesseis / dezasseis, dezessete / dezassete, dezoito,
    dezenove / dezanove, vinte, vinte e um / vinte e uma, vinte e dois / vinte e duas, vinte e três,
    vinte e quatro, vinte e cinco, vinte e seis, vinte e sete, vinte e oito, vinte e nove, trinta,
    trinta e um / trinta e uma, trinta e dois / trinta e duas, trinta e três, trinta e quatro,
    trinta e cinco, trinta e seis, trinta e sete, trinta e oito, trinta e nove, quarenta,
    quarenta e um / quarenta e uma, quarenta e dois / quarenta e duas, quarenta e três,
    quarenta e quatro, quarenta e cinco, quarenta e seis, quarenta e sete, quarenta e oito,
    quarenta e nove, cinquenta, cinquenta e um / cinquenta e uma,
    cinquenta e dois / cinquenta e duas, cinquenta e três, cinquenta e quatro, cinquenta e cinco,
    cinquenta e seis, cinquenta e sete, cinquenta e oito, cinquenta e nove, sessenta,
    sessenta e um / sessenta e uma, sessenta e dois / sessenta e duas, sessenta e três,
    sessenta e quatro, sessenta e cinco, sessenta e seis, sessenta e sete, sessenta e oito,
    sessenta e nove, setenta, setenta e um / setenta e uma, setenta e dois / setenta e duas,
    setenta e três, setenta e quatro, setenta e cinco, setenta e seis, setenta e sete,
    setenta e oito, setenta e nove, oitenta, oitenta e um / oitenta e uma,
    oitenta e dois / oitenta e duas, oitenta e três, oitenta e quatro, oitenta e cinco,
    oitenta e seis, oitenta e sete, oitenta e oito, oitenta e nove, noventa,
    noventa e um / noventa e uma, noventa e dois / noventa e duas, noventa e três, noventa e quatro,
    noventa e cinco, noventa e seis, noventa e sete, noventa e oito, noventa e nove, cem / cento
  `,
};
