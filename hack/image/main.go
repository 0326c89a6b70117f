// Command image builds and pushes images for linux/amd64 and linux/arm64 as one index, with docker, podman or
// buildah. Nothing in it depends on when, where or by whom it is built: two builds of the same files have the
// same digest.
//
// Usage: image build|push [-tool TOOL] [-file DOCKERFILE] [-arg NAME=VALUE] [-binary PREFIX] IMAGE
//
// TOOL may have arguments: "buildah --storage-driver vfs". SOURCE_DATE_EPOCH is the time that files and images
// bear; without it, that of the last commit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "build" && args[0] != "push" {
		return errors.New("usage: image build|push [-tool TOOL] [-file DOCKERFILE] [-arg NAME=VALUE] [-binary PREFIX] IMAGE")
	}
	fs := flag.NewFlagSet("image "+args[0], flag.ContinueOnError)
	tool := fs.String("tool", "docker", "The program that builds images, with its arguments.")
	file := fs.String("file", "Dockerfile", "What is built.")
	binary := fs.String("binary", "", "The programs that it takes, but for the architecture at their end.")
	var buildArgs []string
	fs.Func("arg", "A build argument, as NAME=VALUE; may be repeated.", func(value string) error {
		buildArgs = append(buildArgs, value)
		return nil
	})
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return errors.New("name one image")
	}
	with, err := toolOf(*tool)
	if err != nil {
		return err
	}
	if args[0] == "push" {
		return execute(ctx, with.push(fs.Arg(0)))
	}
	if *binary != "" {
		if err := checkBinaries(*binary); err != nil {
			return err
		}
	}
	epoch, err := sourceDate(ctx)
	if err != nil {
		return err
	}
	return execute(ctx, with.build(recipe{file: *file, args: buildArgs, epoch: epoch}, fs.Arg(0)))
}

// sourceDate is the time that all that is built bears, in seconds since 1970.
func sourceDate(ctx context.Context) (int64, error) {
	value := os.Getenv("SOURCE_DATE_EPOCH")
	if value == "" {
		out, err := exec.CommandContext(ctx, "git", "log", "-1", "--format=%ct").Output()
		if err != nil {
			return 0, fmt.Errorf("the time of the last commit (or set SOURCE_DATE_EPOCH): %w", err)
		}
		value = strings.TrimSpace(string(out))
	}
	epoch, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return epoch, nil
}

// execute runs the commands one after the other; a failure ends it, but for those that may fail.
func execute(ctx context.Context, commands []command) error {
	for _, c := range commands {
		cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
		cmd.Env = append(os.Environ(), c.env...)
		if !c.mayFail {
			fmt.Println(strings.Join(c.args, " "))
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		}
		if err := cmd.Run(); err != nil && !c.mayFail {
			return fmt.Errorf("%s: %w", strings.Join(c.args, " "), err)
		}
	}
	return nil
}
