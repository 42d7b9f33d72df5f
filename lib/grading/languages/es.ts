import type { LanguageData } from "./language-data.js";

export const spanish: LanguageData = {
  tag: "es",
  functionWords: {
    articles: "el la los las lo un una unos unas al del",
    pronouns: `
      yo tú vos él ella ello usted nosotros nosotras vosotros vosotras ellos ellas ustedes me te se
      nos os le les mí ti sí conmigo contigo consigo mi mis tu tus su sus nuestro nuestra nuestros
      nuestras vuestro vuestra vuestros vuestras mío mía míos mías tuyo tuya tuyos tuyas suyo suya
      suyos suyas este esta estos estas esto ese esa esos esas eso aquel aquella aquellos aquellas
      aquello que qué quien quién quienes quiénes cual cuál cuales cuáles cuyo cuya cuyos cuyas cuánto
      cuánta cuántos cuántas algo alguien alguno alguna algunos algunas algún uno
    `,
    negations: "no ni nunca jamás nada nadie ninguno ninguna ningún tampoco",
    auxiliaries: `
      haber habiendo habido he has ha hemos habéis han hay había habías habíamos habíais habían hube
      hubiste hubo hubimos hubisteis hubieron habré habrás habrá habremos habréis habrán habría
      habrías habríamos habríais habrían haya hayas hayamos hayáis hayan hubiera hubieras hubiéramos
      hubierais hubieran ser siendo sido soy eres es somos sois son era eras éramos erais eran fui
      fuiste fue fuimos fuisteis fueron seré serás será seremos seréis serán sería serías seríamos
      seríais serían sea seas seamos seáis sean fuera fueras fuéramos fuerais fueran sos estar estando
      estado estoy estás está estamos estáis están estaba estabas estábamos estabais estaban estuve
      estuviste estuvo estuvimos estuvisteis estuvieron estaré estarás estará estaremos estaréis
      estarán estaría estarías estaríamos estaríais estarían esté estés estemos estéis estén voy vas
      va vamos vais van
    `,
    particles: "a sí que",
  },
  realWordPairs: `
    caro carro, pero perro, pera perra, cero cerro, ahora ahorra, para parra, cuatro cuarto,
    cuatro cuadro, hombre hambre, hombre nombre, noche coche, playa plaza, pasta basta, pasta pista,
    camino camión, camino casino, jabón jamón, jugo juego, juego fuego, juego luego, sueño suelo,
    sueño dueño, suelo sueldo, cielo hielo, calle valle, mañana manzana, ventana ventaja,
    caballo cabello, pollo polo, pollo rollo, blanco banco, banco barco, brazo abrazo, nieve nueve,
    nuevo huevo, huevo hueso, hueso queso, bueno buen, libro litro, fecha flecha, fresa fresca,
    techo pecho, hecho pecho, mucho macho, ducha lucha, cansado casado, pesado pasado,
    pescado pesado, pescado pecado, invierno infierno, tierra sierra, fuerte suerte, fuente puente,
    fuente fuerte, puerta huerta, beber deber, comer coser, comer coger, comprar comparar,
    contar cantar, contar cortar, llevar llegar, tomar tocar, pagar pegar, pasar pesar,
    pasar pasear, casar cazar, nadar andar, jugar juzgar, silla villa, carta cara, gente lente
  `,
  endings: `
    o a os as, - s, - es, - a as, - n, - r, o as es a e amos emos imos áis éis ís an en ar er ir,
    é aste ó amos asteis aron o a as, í iste ió imos isteis ieron o e es,
    aba abas ábamos abais aban, ía ías íamos íais ían,
    ré rás rá remos réis rán ría rías ríamos ríais rían, ar ado ada ados adas ando,
    er ir ido ida idos idas iendo
  `,
  spellerPairs: `
    esta está, estas estás, este esté, el él, tu tú, mi mí, si sí, se sé, te té, de dé, mas más,
    aun aún, solo sólo, que qué, quien quién, quienes quiénes, cual cuál, cuales cuáles, como cómo,
    cuando cuándo, cuanto cuánto, donde dónde, porque por_qué, papa papá, mama mamá, ano año,
    pena peña, hablo habló, hable hablé, trabajo trabajó, compro compró, llego llegó, paso pasó,
    sabana sábana, publico público, practico práctico, ingles inglés, seria sería, hacia hacía,
    rio río, haya halla, a ha, hay ahí, echo hecho, tuvo tubo, vaya valla
  `,
  numbers: `
    cero, uno / un / una, dos, tres, cuatro, cinco, seis, siete, ocho, nueve, diez, once, doce,
    trece, catorce, quince, dieciséis, diecisiete, dieciocho, diecinueve, veinte,
    veintiuno / veintiún / veintiuna, veintidós, veintitrés, veinticuatro, veinticinco, veintiséis,
    veintisiete, veintiocho, veintinueve, treinta, treinta y uno / treinta y un / treinta y una,
    treinta y dos, treinta y tres, treinta y cuatro, treinta y cinco, treinta y seis,
    treinta y siete, treinta y ocho, treinta y nueve, cuarenta,
    cuarenta y uno / cuarenta y un / cuarenta y una, cuarenta y dos, cuarenta y tres,
    cuarenta y cuatro, cuarenta y cinco, cuarenta y seis, cuarenta y siete, cuarenta y ocho,
    cuarenta y nueve, cincuenta, cincuenta y uno / cincuenta y un / cincuenta y una,
    cincuenta y dos, cincuenta y tres, cincuenta y cuatro, cincuenta y cinco, cincuenta y seis,
    cincuenta y siete, cincuenta y ocho, cincuenta y nueve, sesenta,
    sesenta y uno / sesenta y un / sesenta y una, sesenta y dos, sesenta y tres, sesenta y cuatro,
    sesenta y cinco, sesenta y seis, sesenta y siete, sesenta y ocho, sesenta y nueve, setenta,
    setenta y uno / setenta y un / setenta y una, setenta y dos, setenta y tres, setenta y cuatro,
    setenta y cinco, setenta y seis, setenta y siete, setenta y ocho, setenta y nueve, ochenta,
    ochenta y uno / ochenta y un / ochenta y una, ochenta y dos, ochenta y tres, ochenta y cuatro,
    ochenta y cinco, ochenta y seis, ochenta y siete, ochenta y ocho, ochenta y nueve, noventa,
    noventa y uno / noventa y un / noventa y una, noventa y dos, noventa y tres, noventa y cuatro,
    noventa y cinco, noventa y seis, noventa y siete, noventa y ocho, noventa y nueve, cien / ciento
  `,
};
