/* SPDX-License-Identifier: MIT */
/* smitin: the command line. Each subcommand has a file of its own. */
#include "common.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"generate", command_generate, "make music from nothing, from text or from a clip, with knobs"},
    {"knob", command_knob, "train a knob from audio; show what a knob file holds"},
    {"eval", command_eval, "measure pieces: distances, instruments, tempo, key, listening tests"},
    {"probe", command_probe, "fit a probe on every attention head, for labels of any kind"},
    {"bench", command_bench, "measure how fast a model plays on this machine, in each format"},
    {"convert", command_convert, "write a model into one file, in 8 or 4 bits for example"},
    {"models", command_models, "fetch a model from the Hugging Face hub; list the models here"},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *out)
{
    fprintf(out, "smitin %s: play a music model, and steer it while it plays\n\n",
            smitin_version());
    fprintf(out, "  smitin COMMAND [OPTIONS]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\n\"smitin COMMAND --help\" lists the options. Try: smitin generate -p \"slow "
                 "jazz\" -o jazz.wav\n");
}

int main(int argc, char **argv)
{
    /* A closed pipe is an error of the write, told in words, not a silent death. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("smitin %s\n", smitin_version());
        return EXIT_DONE;
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "smitin: there is no command \"%s\"; \"smitin --help\" lists them\n", argv[1]);
    return EXIT_USAGE;
}
