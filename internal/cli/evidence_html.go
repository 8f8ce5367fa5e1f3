package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"rollcall/config"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/report"
)

// mayWritePicture says before anything is read whether --html can be written,
// and keeps it from being written over what it is made of.
func (a *app) mayWritePicture(f evidenceFlags, files []evidence.File) error {
	if f.html == "" {
		return nil
	}
	_, err := os.Lstat(f.html)
	isNew := errors.Is(err, fs.ErrNotExist)
	tried, err := os.OpenFile(f.html, os.O_CREATE|os.O_WRONLY, 0o640) // what is there stays as it is
	if err != nil {
		return fmt.Errorf("--html: %w; nothing was read", err)
	}
	defer tried.Close()
	if isNew {
		return os.Remove(f.html)
	}
	page, err := tried.Stat()
	if err != nil {
		return err
	}
	read := append([]string{a.file}, f.indicators...)
	for _, l := range files {
		read = append(read, l.Path)
	}
	for _, path := range read {
		if is, err := os.Stat(path); err == nil && os.SameFile(is, page) {
			return fmt.Errorf("--html %s would be written over %s, which is read: name another file; nothing was read", f.html, path)
		}
	}
	return nil
}

// writePicture writes the page of what was found.
func (a *app) writePicture(f evidenceFlags, cfg *config.Campaign, o evidence.Options, result *judge.Result, zone *time.Location) error {
	page := report.Evidence{
		Device: cfg.Device, Campaign: o.Campaign, Result: result, Credentials: o.Judge.Credentials, Contained: o.Judge.Contained,
		Now: o.Judge.Now, Zone: zone, Notes: evidenceNotes, Limits: evidenceLimits,
	}
	return a.writeReport(f.html, func(w io.Writer) error { return report.EvidenceHTML(w, page) })
}
