package main

import (
	"fmt"
	"os"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// newLogger writes Temporal's log, JSON lines of warnings and worse, to file.
func newLogger(file string) log.Logger {
	return fatalToStderr{file: file, Logger: log.NewZapLogger(log.BuildZapLogger(log.Config{
		Level: "warn", Format: "json", OutputFile: file,
	}))}
}

// fatalToStderr says on stderr why Temporal ends the process, as it does when
// it cannot bind a port: without it the reason is in the log alone.
type fatalToStderr struct {
	log.Logger
	file string
}

func (l fatalToStderr) Fatal(msg string, tags ...tag.Tag) {
	text := msg
	for _, t := range tags {
		text += fmt.Sprintf(", %s: %v", t.Key(), t.Value())
	}
	fmt.Fprintf(os.Stderr, "rollcall-engine: Temporal stopped: %s (see %s)\n", text, l.file)
	l.Logger.Fatal(msg, tags...)
}

// With keeps the wrapper around loggers that services derive from this one.
func (l fatalToStderr) With(tags ...tag.Tag) log.Logger {
	return fatalToStderr{file: l.file, Logger: log.With(l.Logger, tags...)}
}
