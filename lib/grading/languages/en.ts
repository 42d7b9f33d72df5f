import type { LanguageData } from "./language-data.js";

export const english: LanguageData = {
  tag: "en",
  functionWords: {
    articles: "a an the",
    pronouns: `
      i you he she it we they me him her us them my your his its our their mine yours hers ours theirs
      myself yourself himself herself itself ourselves yourselves themselves this that these those who
      whom whose which what someone somebody something anyone anybody anything everyone everybody
      everything one ones there
    `,
    negations: "no not never none nobody nothing neither nor nowhere cannot without",
    auxiliaries: `
      am is are was were be been being have has had having do does did done will would shall should
      can could may might must ought used
    `,
    particles: "to yes up down on off in out away back",
  },
  contractions: `
    i'm: i am, you're: you are, he's: he is / he has, she's: she is / she has, it's: it is / it has,
    we're: we are, they're: they are, i've: i have, you've: you have, we've: we have,
    they've: they have, i'll: i will / i shall, you'll: you will, he'll: he will, she'll: she will,
    it'll: it will, we'll: we will / we shall, they'll: they will, i'd: i would / i had,
    you'd: you would / you had, he'd: he would / he had, she'd: she would / she had,
    it'd: it would / it had, we'd: we would / we had, they'd: they would / they had,
    that's: that is / that has, that'll: that will, there's: there is / there has, here's: here is,
    what's: what is / what has, who's: who is / who has, who'll: who will,
    who'd: who would / who had, where's: where is / where has, when's: when is,
    how's: how is / how has, why's: why is, let's: let us, isn't: is not, aren't: are not,
    wasn't: was not, weren't: were not, don't: do not, doesn't: does not, didn't: did not,
    haven't: have not, hasn't: has not, hadn't: had not, won't: will not, wouldn't: would not,
    shan't: shall not, shouldn't: should not, can't: cannot / can not, couldn't: could not,
    mustn't: must not, mightn't: might not, needn't: need not, cannot: can not
  `,
  wordsWithoutApostrophe: `
    its were well wed ill id hell shell shed lets cant wont whore
  `,
  realWordPairs: `
    quite quiet, desert dessert, lose loose, house horse, house mouse, mouth month, south mouth,
    word world, world would, thing think, think thank, think thick, though through, though thought,
    though tough, bought brought, sheet sheep, sheep sleep, sweet sheet, sweet sweat, tree three,
    three there, there where, were where, here where, angel angle, trial trail, diary dairy,
    bread break, breath breathe, advice advise, price prize, rice price, chose choose, chose close,
    affect effect, later latter, latter letter, letter better, better butter, dinner diner,
    other mother, father rather, weather leather, plate place, plan plane, plan plant, plane plate,
    paint point, pain paint, light night, night right, light right, height weight, eight weight,
    tired tried, watch match, beach teach, couch coach, shirt short, shirt skirt, short sport,
    story store, star start, hair chair, black block, back black, grass glass, glass class,
    hear heart, thirty thirsty, money monkey, money honey, rain train, drive drove, drink drank,
    begin began, write wrote, throw threw, smell small
  `,
  endings: `
    - s es ed ing er est ly en, e es ed ing er est en, - d r st n, y ies ied ying ier iest ily, d t,
    man men, - y
  `,
  spellerPairs: `
    its it's, your you're, their there, their they're, there they're, were we're, well we'll,
    ill i'll, id i'd, hell he'll, shell she'll, lets let's, cant can't, wont won't, whose who's,
    to too, too two, then than, of off, whether weather, hear here, right write, know no, knew new,
    hole whole, peace piece, meat meet, week weak, sun son, see sea, buy by, by bye, wear where,
    hour our, eye i, for four, ate eight, won one, red read, blue blew, brake break, board bored,
    flower flour, passed past, resume résumé
  `,
  numbers: `
    zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen,
    fourteen, fifteen, sixteen, seventeen, eighteen, nineteen, twenty, twenty-one, twenty-two,
    twenty-three, twenty-four, twenty-five, twenty-six, twenty-seven, twenty-eight, twenty-nine,
    thirty, thirty-one, thirty-two, thirty-three, thirty-four, thirty-five, thirty-six,
    thirty-seven, thirty-eight, thirty-nine, forty, forty-one, forty-two, forty-three, forty-four,
    forty-five, forty-six, forty-seven, forty-eight, forty-nine, fifty, fifty-one, fifty-two,
    fifty-three, fifty-four, fifty-five, fifty-six, fifty-seven, fifty-eight, fifty-nine, sixty,
    sixty-one, sixty-two, sixty-three, sixty-four, sixty-five, sixty-six, sixty-seven, sixty-eight,
    sixty-nine, seventy, seventy-one, seventy-two, seventy-three, seventy-four, seventy-five,
    seventy-six, seventy-seven, seventy-eight, seventy-nine, eighty, eighty-one, eighty-two,
    eighty-three, eighty-four, eighty-five, eighty-six, eighty-seven, eighty-eight, eighty-nine,
    ninety, ninety-one, ninety-two, ninety-three, ninety-four, ninety-five, ninety-six,
    ninety-seven, ninety-eight, ninety-nine, one hundred / a hundred
  `,
};
