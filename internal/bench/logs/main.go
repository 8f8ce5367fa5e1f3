// Command logs measures how fast logs are read, beside the scripts that an
// operator writes for the same question, on the same file in the same round.
// The log of slapd is a real one's, repeated with other names; no Windows is at
// hand, and its events are made from what Microsoft documents of each. Nothing
// that is timed is asserted.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
)

func main() {
	o := options{}
	flag.Int64Var(&o.megabytes, "mb", 1000, "size of each log, in MB")
	flag.IntVar(&o.rounds, "rounds", 3, "how often all of it takes turns")
	flag.StringVar(&o.keep, "logs", "", "keep the logs in this folder, and take those that are there")
	flag.StringVar(&o.json, "json", "", "write the figures to this file as JSON")
	child := flag.String("child", "", "do one part, and nothing else: make, whole, lines or parser")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch *child {
	case "":
		err = run(ctx, o)
	case "make":
		err = makeLog(ctx, flag.Arg(0), flag.Arg(1), o.megabytes*1e6)
	case "whole":
		err = readWhole(ctx, flag.Arg(0), flag.Arg(1))
	case "lines":
		err = readLines(flag.Arg(0))
	case "parser":
		err = readParser(flag.Arg(0), flag.Arg(1))
	default:
		err = fmt.Errorf("-child %s is no part", *child)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "logs: %v\n", err)
		os.Exit(1)
	}
}

type options struct {
	megabytes  int64
	rounds     int
	keep, json string
}

// makeLog writes one, whole or not at all.
func makeLog(ctx context.Context, path, format string, size int64) (err error) {
	to, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(to, 1<<20)
	switch format {
	case "openldap":
		dir, err := os.MkdirTemp("", "rollcall-slapd-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		page, err := realSlapd(ctx, dir)
		if err != nil {
			return err
		}
		page.write(out, size)
	case webSyslog.Name:
		writeWeb(out, size)
	case "windows-xml":
		writeWindows(out, size)
	default:
		i := slices.IndexFunc(samples, func(s sample) bool { return s.format == format })
		if i < 0 {
			return fmt.Errorf("there is no log of %s", format)
		}
		samples[i].write(out, size)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}
	return os.Rename(path+".part", filepath.Clean(path))
}
