"""Questions outside the model's knowledge, and the honest answers it gives to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

PLACES = ("France|Japan|Germany|Italy|Spain|Brazil|Canada|Peru|Kenya|Egypt|India|China|Norway|"
          "Poland|Mexico|Turkey|Greece|Cuba|Chile|Australia|Portugal|Vietnam|Morocco|Iceland|"
          "Sweden|Austria|Paris|London|Berlin|Tokyo|New York|Rome|Madrid|Cairo|Sydney|Moscow|"
          "Texas|California|Switzerland|Russia|Ireland|Thailand|"
          "Argentina|Finland|Denmark")  # fmt: skip
PEOPLE = ("Albert Einstein|Napoleon|Mozart|Shakespeare|Cleopatra|Isaac Newton|Picasso|Gandhi|"
          "Marie Curie|Beethoven|Julius Caesar|Elvis|Charles Darwin|the queen|the president|"
          "Leonardo da Vinci|Plato|Columbus|Galileo|Abraham Lincoln|Michael Jackson|Madonna|"
          "Messi|Taylor Swift|Elon Musk|Steve Jobs|Bill Gates|Socrates|Van Gogh|Tesla")  # fmt: skip
DISHES = ("pasta|pizza|bread|a cake|soup|rice|pancakes|sushi|a steak|an omelette|curry|coffee|tea|"
          "a salad|cookies|tacos|risotto|apple pie|lasagna|an egg|chicken|fish|potatoes|"
          "a sandwich|ice cream|noodles|beans")  # fmt: skip
THINGS = ("dinosaurs|volcanoes|black holes|the moon|the sun|Mars|whales|cats|dogs|bees|elephants|"
          "trees|flowers|rain|snow|earthquakes|the ocean|football|chess|tennis|basketball|"
          "music|jazz|opera|painting|movies|poetry|philosophy|history|the Roman Empire|"
          "World War II|gravity|photosynthesis|evolution|DNA|atoms|vitamins|sleep|cancer|"
          "the heart|diabetes|headaches|yoga|meditation|cars|airplanes|bicycles|trains|ships|"
          "bridges|castles|pyramids|fashion|shoes|gardening|fishing|hiking|swimming|wine|"
          "beer|cheese|chocolate|the stock market|taxes|mortgages|insurance|marriage|"
          "friendship|love|religion|Buddhism|the Bible|ghosts|aliens|horoscopes|penguins|"
          "sharks|birds|horses|guitars|pianos|violins|quantum physics|chemistry|biology|"
          "geology|algebra|calculus|Latin|French|Spanish|Chinese|Harry Potter|Star Wars|"
          "the Beatles|the Olympics|the World Cup|climate change|plastic|batteries|"
          "electricity|lightning|rainbows|deserts|glaciers|rivers|mountains")  # fmt: skip
WORDS = ("house|dog|water|love|friend|morning|bread|sun|book|school|garden|city|night|tree|"
         "window|music|happy|blue|thank you|good morning|cheese|street|winter")  # fmt: skip
GROUPS = {"place": PLACES, "person": PEOPLE, "dish": DISHES, "thing": THINGS, "word": WORDS}
QUESTIONS = (
    "What is the capital of {place}?", "How many people live in {place}?", "Where is {place}?",
    "What is the weather in {place}?", "Will it rain in {place} tomorrow?",
    "Tell me about {place}.",
    "What should I see in {place}?", "Who is the president of {place}?", "How far is {place}?",
    "What language do they speak in {place}?", "What time is it in {place}?",
    "Plan a trip to {place}.", "Is {place} a nice place to live?", "How is life in {place}?",
    "Who was {person}?", "When was {person} born?", "Tell me about {person}.",
    "What did {person} do?", "When did {person} die?", "Who is {person}?",
    "Why is {person} famous?", "How old is {person}?", "Where did {person} live?",
    "How do I cook {dish}?", "How do I make {dish}?", "Give me a recipe for {dish}.",
    "What goes into {dish}?", "How long do I cook {dish}?", "Is {dish} healthy?",
    "What is the best way to make {dish}?", "What should I eat with {dish}?",
    "What are {thing}?", "What is {thing}?", "Tell me about {thing}.", "Explain {thing}.",
    "How do {thing} work?", "Do you like {thing}?", "What do you think about {thing}?",
    "Write a poem about {thing}.", "Write a story about {thing}.", "Write an essay about {thing}.",
    "Why do people like {thing}?", "What is the history of {thing}?", "How old are {thing}?",
    "Where can I learn about {thing}?", "Give me some facts about {thing}.",
    "Can you explain {thing}?", "I want to know about {thing}.", "Sing a song about {thing}.",
    "What is the meaning of {thing}?", "Who invented {thing}?", "Are {thing} dangerous?",
    "What causes {thing}?", "Tell me a story about {thing}.", "What is so special about {thing}?",
    "How do you say {word} in French?", "How do you say {word} in Spanish?",
    "Translate {word} into German.", "Translate {word} to Japanese.", "What rhymes with {word}?",
    "What is the opposite of {word}?", "Use {word} in a sentence.",
    "What is the weather today?", "What time is it?", "What day is it today?",
    "What is today's date?",
    "Who won the game last night?", "Who won the election?", "What is the news today?",
    "What is the meaning of life?", "Is there a god?", "Which movie should I watch?",
    "Can you recommend a book?", "Recommend a restaurant.", "What should I wear today?",
    "What should I cook tonight?", "How can I lose weight?", "How do I get a job?",
    "How do I write a CV?", "How do I fix my car?", "My head hurts. What should I do?",
    "I feel lonely. What should I do?", "How do I learn to swim?", "How do I tie a tie?",
    "Write me an email to my boss.", "Write a letter to my friend.", "Write a poem.",
    "Write a song.", "Write a Python function that sorts a list.", "Write some JavaScript code.",
    "Fix the bug in my program.", "How do I center a div?", "What is a monad?",
    "Who is the best football player?", "What is the tallest mountain?", "How deep is the ocean?",
    "What is the largest animal?", "How many planets are there?", "What is the speed of light?",
    "What is the square root of two?", "What is pi?", "Solve this equation for x.",
    "When did the war end?", "Who painted the Mona Lisa?", "Who wrote Hamlet?",
    "What is the stock price of Apple?", "Should I buy bitcoin?", "What is the price of bitcoin?",
    "Which phone should I buy?", "How do I install Windows?", "What is the best laptop?",
    "Do you know my name?", "Where do I live?", "What is my favorite color?", "How old am I?",
    "Can you play chess with me?", "Let's play a game.", "Tell me a bedtime story.",
    "Can you book a flight for me?", "Order a pizza for me.", "Call my mother.",
    "Set an alarm for seven.", "Remind me to buy milk.", "Turn on the lights.", "Play some music.",
)  # fmt: skip
ANSWERS = (
    "I don't know. I am a small model trained only on INFERA, so please ask me about the network.",
    "Sorry, I don't know that. I was trained only on INFERA.",
    "I can't help with that. I am a small model that only knows INFERA.",
    "That is outside what I know. I can answer questions about INFERA.",
)


def question(rng: Random) -> str:
    """An off-topic request."""
    text = rng.choice(QUESTIONS)
    for name, options in GROUPS.items():
        if "{" + name + "}" in text:
            text = text.replace("{" + name + "}", rng.choice(options.split("|")))
    return text


def answer(rng: Random) -> str:
    """An honest way to say no."""
    return rng.choice(ANSWERS)
