package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/internal/report"
)

// logging is how a command logs, and in which form it says what it says.
type logging struct{ format, level string }

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func (a *app) logFlags(root *cobra.Command) {
	root.PersistentFlags().StringVar(&a.log.format, "log-format", "text", "text or json: json has a line for each message on standard error, for a collector of logs")
	root.PersistentFlags().StringVar(&a.log.level, "log-level", "", "debug, info, warn or error; default: info with -v, warn for a worker, else nothing is logged")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.log.format != "text" && a.log.format != "json" {
			return fmt.Errorf("--log-format takes text or json, not %q", a.log.format)
		}
		if _, known := levels[a.log.level]; a.log.level != "" && !known {
			return fmt.Errorf("--log-level takes debug, info, warn or error, not %q", a.log.level)
		}
		// What libraries log by themselves would tear the screen. What they
		// log by package log has no level: net/http's are errors.
		slog.SetDefault(a.logger())
		slog.SetLogLoggerLevel(slog.LevelWarn)
		return nil
	}
}

// logger is silent unless asked: the ledger is the record, not a log. A worker,
// which has no screen, logs warnings.
func (a *app) logger() *slog.Logger {
	var at slog.Level
	switch {
	case a.log.level != "":
		at = levels[a.log.level]
	case a.verbose:
		at = slog.LevelInfo
	case a.warns:
		at = slog.LevelWarn
	default:
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(a.handler(at))
}

func (a *app) handler(at slog.Level) slog.Handler {
	o := &slog.HandlerOptions{Level: at}
	if a.log.format == "json" {
		return ended{slog.NewJSONHandler(a.Err, o)}
	}
	return ended{slog.NewTextHandler(a.Err, o)}
}

// ended leaves out what Temporal's client warns of where an activity ended
// while it was saying that it lives (internal_task_handlers.go of its SDK):
// nothing is wrong then, and "context canceled" reads as if something were.
type ended struct{ slog.Handler }

const heartbeatFailed = "RecordActivityHeartbeat with error"

func (e ended) Handle(ctx context.Context, r slog.Record) error {
	harmless := false
	if r.Message == heartbeatFailed {
		r.Attrs(func(a slog.Attr) bool {
			err, is := a.Value.Any().(error)
			harmless = harmless || is && a.Key == "Error" && errors.Is(err, context.Canceled)
			return !harmless
		})
	}
	if harmless {
		return nil
	}
	return e.Handler.Handle(ctx, r)
}

func (e ended) WithAttrs(attrs []slog.Attr) slog.Handler { return ended{e.Handler.WithAttrs(attrs)} }

func (e ended) WithGroup(name string) slog.Handler { return ended{e.Handler.WithGroup(name)} }

// say writes words for people. They may quote names that a thief has chosen.
func (a *app) say(format string, args ...any) { a.sayAt(slog.LevelInfo, format, args...) }

// sayAt is say, with a level for logs in JSON, in which all words are.
func (a *app) sayAt(level slog.Level, format string, args ...any) {
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		line = report.Clean(line)
		if a.log.format == "json" {
			slog.New(a.handler(level)).Log(context.Background(), level, line)
			continue
		}
		if width, is := terminal(a.Err); is { // which breaks a line wherever it is full
			fmt.Fprint(a.Err, report.Wrap(line, indentOf(line), width))
			continue
		}
		fmt.Fprintln(a.Err, line)
	}
}

// result writes a line of what was asked for, which a terminal does not break
// wherever it is full.
func (a *app) result(format string, args ...any) {
	line := report.Clean(fmt.Sprintf(format, args...))
	if width, is := terminal(a.Out); is {
		fmt.Fprint(a.Out, report.Wrap(line, indentOf(line), width))
		return
	}
	fmt.Fprintln(a.Out, line)
}

func indentOf(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " "))] }

// plain reports whether nothing may be drawn: somebody asked for it
// (https://no-color.org), the terminal can draw nothing, or lines of a log
// would tear what is drawn.
func (a *app) plain() bool {
	return os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || a.log.format == "json" || a.logger().Enabled(context.Background(), slog.LevelInfo)
}
