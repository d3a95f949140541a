"""Teeth: a chapter must notice when the part that it teaches is broken.

    python -m kafkalab.course.teeth --chapter 01      # make teeth runs all of them

A mutant breaks one part of the producer in the running kernel, and the chapter that teaches the part is
executed with it. Only a claim that does not hold, or an exercise whose solution is judged wrong, kills a
mutant. One that survives shows that the chapter's experiments come out the same with a broken producer:
a defect of the chapter.

    patch.py       how a mutant gets into a kernel, and stays out of the source that chapters show
    mutants/       the mutants, by chapter and subject
    slices.py      the cells that a claim needs, so that a mutant costs seconds
    kernel.py      a chapter's cells under a mutant, until one kills it
    __main__.py    the command, and the table it prints
"""
