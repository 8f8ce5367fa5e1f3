package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"rollcall/internal/evidence"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logfile"
	"rollcall/internal/evidence/logs"
)

// rollOf is how many of the names are on the roll.
const rollOf = 1_000

// readWhole does what `rollcall evidence` does with a file, for a roll of a
// thousand.
func readWhole(ctx context.Context, path, format string) error {
	from := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	o := evidence.Options{Files: []evidence.File{{Path: path, Authority: "corp", Server: "one"}}, Format: format, Quiet: evidence.DefaultQuiet, Year: 2026, Zone: time.UTC, Mapped: logs.MappedFormats(webSyslog),
		Judge: judge.Options{Windows: []judge.Window{{From: from, To: from.Add(time.Hour)}}, Device: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/32")}, Now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}}
	for i := range rollOf {
		name := fmt.Sprintf("svc-%05d", i*manyNames/rollOf)
		c := judge.Credential{ID: "corp/" + name, Name: name, Authority: "corp"}
		c.Accounts = []judge.Account{{Form: event.DN, Name: "uid=" + name + ",ou=people,dc=example,dc=org"}, {Form: event.Login, Name: name}}
		o.Judge.Credentials = append(o.Judge.Credentials, c)
	}
	result, err := evidence.Read(ctx, o)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// readLines does nothing but unpack a file and part it into its lines or
// events.
func readLines(path string) error {
	in, err := logfile.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := logfile.NewLines(in)
	for {
		if _, _, _, err := lines.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// readParser takes each line apart in its turn, and makes nothing of what comes
// of it.
func readParser(path, name string) error {
	format, err := logs.Named(name, logs.MappedFormats(webSyslog)...)
	if err != nil {
		return err
	}
	in, err := logfile.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	p := format.New(logs.Options{Year: 2026, Zone: time.UTC, Quiet: evidence.DefaultQuiet, Event: func(event.Event) {}, Note: func(event.Note, event.Place, string) {}})
	defer p.Close()
	lines := logfile.NewLines(in)
	for {
		line, n, _, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			_, _, err = p.Line(line, event.Place{File: path, Line: n})
		}
		if err != nil {
			return err
		}
	}
}
