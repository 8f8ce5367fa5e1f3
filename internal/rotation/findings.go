package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// noteSeen records what a look found. That all values were refused tells of a
// change by somebody else only where the new one works: a server that lets the
// account in from nowhere, or not from here, refuses every one. What was seen
// to be activated, or to let nobody do anything, is told to those that wait for
// it.
func (j *job) noteSeen(facts protocol.Facts, d protocol.Decision) {
	j.suspected = ""
	if d.Step == protocol.Set && d.Stop == nil && (d.Finding == credential.FindingChangedBefore || d.Finding == credential.FindingChangedDuring) {
		j.suspected = d.Finding
	} else {
		j.note(d.Finding)
	}
	switch {
	case d.Stop == nil && facts.Activated:
		j.Gate.Activated(j.c.ID, false)
		j.noteHeld()
	case d.Stop != nil && facts.Unproved:
		j.note(credential.FindingPathRefused)
	}
	if d.Stop != nil && facts.NewBinds == protocol.MustChange {
		j.Brake.Verified(j.c.ID, d.Stop, true)
	}
}

// noteHeld records where the new value went, once it is there.
func (j *job) noteHeld() {
	for _, f := range j.held {
		j.noteDetail(f)
	}
	j.held = nil
}

func (j *job) note(code credential.FindingCode) {
	if code != "" {
		j.noteDetail(credential.Finding{Code: code})
	}
}

func (j *job) noteDetail(f credential.Finding) {
	for _, have := range j.out.Findings {
		if have.Code == f.Code {
			return
		}
	}
	j.out.Findings = append(j.out.Findings, f)
}

// placesSeen says which paths are left as they are. Numbers, not names:
// findings travel through Temporal. asked: the account was asked in this look
// which old value is in force.
func (j *job) placesSeen(ctx context.Context, asked bool) (out []credential.Finding, err error) {
	var left, before, stale, empty []string
	why := ""
	for i, p := range j.paths {
		if j.parts[i] != apart {
			continue
		}
		since, err := j.since(ctx, p, j.lives[i])
		if err != nil {
			return nil, err
		}
		if no := j.cannotOffer(j.lives[i].Value); no != "" && why == "" {
			why = "what it holds was offered to no server, because " + no
		}
		n := fmt.Sprint(i + 1)
		if left = append(left, n); since == ownmount.NotActivated {
			if stale = append(stale, n); j.lives[i].Version > 0 && !j.lives[i].Found && j.lives[i].Problem == "" {
				empty = append(empty, n)
			}
			continue
		}
		if before = append(before, n); why == "" {
			why = earlierPath
		}
		if since == ownmount.WrittenSince || since == ownmount.Anothers {
			why = earlierPath + ", and somebody has written it since: it may have been given to another account"
			if slices.Contains(j.c.Confirmed, p) {
				why += "; the campaign file confirms what was there before: look whose it is now, and confirm that with its version, or exclude the path"
			}
		}
	}
	refused := func(which []string) {
		detail := j.numbered(which)
		if why != "" {
			detail += "; " + why
		}
		out = append(out, credential.Finding{Code: credential.FindingPathRefused, Detail: detail})
	}
	switch ours := j.onlyOurs(); {
	case len(left) == 0:
	case usesSpare(j.c, j.staged) || len(j.paths) > len(j.c.Paths):
		refused(left)
		out = append(out, credential.Finding{Code: credential.FindingSparePath})
	case ours > 0:
		refused(left)
		out = append(out, credential.Finding{Code: credential.FindingSparePath, Detail: fmt.Sprintf("path %d", ours)})
	default:
		// Another path had the value in force. Where Rollcall itself had put
		// one at this path, who reads it may be cut off, so a person is asked.
		if len(before) > 0 {
			refused(before)
		}
		if len(stale) > 0 {
			detail := j.numbered(stale)
			if len(empty) > 0 {
				detail += "; nothing is in the field of " + j.numbered(empty)
			}
			out = append(out, credential.Finding{Code: credential.FindingStalePath, Detail: detail})
		}
	}
	if asked && slices.Contains(j.parts[:len(j.c.Paths)], kept) && len(j.c.Confirmed) > 0 && len(j.accepted) == 0 {
		out = append(out, credential.Finding{Code: credential.FindingConfirmed})
	}
	return out, nil
}

// earlierPath begins what is said of a path that Rollcall itself had written
// before.
const earlierPath = "an earlier campaign put a value of this credential there"

// numbered names paths by their numbers.
func (j *job) numbered(which []string) string {
	return fmt.Sprintf("path %s of %d", strings.Join(which, ", "), len(j.c.Paths))
}

// noteAside says that the new value lies where its consumers may not read it,
// in each pass that may be the one which proves it dead: another one may have
// written it there. What takes another account's value as well (Alike) may read
// that one's path.
func (j *job) noteAside() {
	switch {
	case usesSpare(j.c, j.staged):
		j.note(credential.FindingSparePath)
	case len(j.c.Alike) > 0 && len(j.c.Paths) > 0:
		j.noteDetail(credential.Finding{Code: credential.FindingSparePath, Detail: "path 1"})
	}
}

// onlyOurs is the number of a path, from 1, if the new value goes to secrets
// alone that Rollcall made for the credential while a path that somebody else
// named is left as it is: an earlier campaign brought it there, and nothing
// shows that consumers have followed.
func (j *job) onlyOurs() (takes int) {
	left := false
	for i := range j.paths {
		made := j.lives[i].Owner != "" && j.lives[i].Owner == j.c.Subject
		switch {
		case j.parts[i] != apart && !made:
			return 0
		case j.parts[i] != apart:
			takes = i + 1
		case !made:
			left = true
		}
	}
	if !left {
		return 0
	}
	return takes
}
