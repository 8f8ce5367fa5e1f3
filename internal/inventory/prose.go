package inventory

import (
	"fmt"
	"index/suffixarray"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"rollcall/config"
	"rollcall/internal/credential"
)

// What people write as a reason, an answer or a note goes into the ledger, and
// from there to outsiders. Whether a word there is a secret nobody can tell
// from the word; whether it is one that the listing has just read, anybody can.

// shortest is the length below which a value is not looked for: it may be a
// word of any text.
const shortest = 6

// prose is what people wrote, with where.
type prose struct {
	texts []written
	from  []int // of each, in all
	all   *suffixarray.Index

	mu  sync.Mutex
	hit []string // where a text holds a value

	form []string // where one gives a secret away by its form, and what that is
}

type written struct{ where, text string }

// proseOf are the texts of the campaign's files, once its manifests are read.
func (l *lister) proseOf() *prose {
	c, w := l.c, &prose{}
	add := func(text, where string, args ...any) {
		if len(text) >= shortest {
			at := fmt.Sprintf(where, args...)
			w.texts = append(w.texts, written{at, text})
			if what := credential.Discloses(text); what != "" {
				w.form = append(w.form, at+" ("+what+")")
			}
		}
	}
	if at := c.Containment; at != nil {
		add(at.Note, "%s", inFile(at.File, "containment.note", "note"))
		add(at.By, "%s", inFile(at.File, "containment.by", "by"))
	}
	for flag, word := range map[string]*config.Word{"--override": c.Override, "--unfit-doors": c.UnfitDoors, "--unanswered": c.Unanswered} {
		if word != nil {
			add(word.Reason, "%s", flag)
		}
	}
	for i, e := range c.Exclude {
		add(e.Reason, "exclude[%d].reason", i)
	}
	for i, a := range c.Accept {
		add(a.Reason, "accept[%d].reason", i)
	}
	for i, a := range c.Confirm {
		add(a.Reason, "confirm[%d].reason", i)
	}
	if c.Answers != nil {
		add(c.Answers.By, "%s: by", c.AnswersFile)
		for _, g := range c.Answers.List {
			for key, text := range map[string]string{"reason": g.Reason, "owner": g.Owner, "by": g.By} {
				add(text, "%s:%d: %s", c.AnswersFile, g.At, key)
			}
		}
	}
	for _, c := range l.candidates {
		if _, note, has := strings.Cut(c.Reason.Detail, ", "); has && config.TraitsOfSource(c.Reason.Type).Rows {
			add(note, "%s: note", rowOf(c.Reason))
		}
	}
	for _, t := range l.tasks {
		if len(t.Reasons) == 0 || t.Reasons[0].Type != config.Manifest {
			continue
		}
		at := rowOf(t.Reasons[0])
		_, note, _ := strings.Cut(t.Reasons[0].Detail, ", ")
		add(note, "%s: note", at)
		add(t.Name, "%s: name", at)
		for _, e := range t.Task.Ends {
			add(e.Name, "%s: ends", at)
		}
	}
	w.index()
	return w
}

func inFile(file, inCampaign, beside string) string {
	if file == "" {
		return inCampaign
	}
	return file + ": " + beside
}

// index makes them fit to be looked through by many values.
func (w *prose) index() {
	var all []byte
	for _, t := range w.texts {
		w.from, all = append(w.from, len(all)), append(append(all, t.text...), '\n')
	}
	w.all = suffixarray.New(all)
}

// see looks for a value that was read.
func (w *prose) see(s credential.Secret) {
	if w == nil || len(s.Reveal()) < shortest {
		return
	}
	for _, at := range w.all.Lookup([]byte(s.Reveal()), -1) {
		i, exact := slices.BinarySearch(w.from, at)
		if !exact {
			i--
		}
		if t := w.texts[i]; aWord(t.text, s.Reveal()) {
			w.mu.Lock()
			w.hit = append(w.hit, t.where)
			w.mu.Unlock()
		}
	}
}

// aWord reports whether a value stands in a text as a word of its own.
func aWord(text, value string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], value)
		if i < 0 {
			return false
		}
		from, to := at+i, at+i+len(value)
		before, _ := utf8.DecodeLastRuneInString(text[:from])
		after, _ := utf8.DecodeRuneInString(text[to:])
		first, _ := utf8.DecodeRuneInString(value)
		last, _ := utf8.DecodeLastRuneInString(value)
		if !(ofWord(before) && ofWord(first)) && !(ofWord(after) && ofWord(last)) {
			return true
		}
		at = from + 1
	}
}

func ofWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

// disclosed refuses a listing whose texts hold a secret. Neither the text nor
// whose secret it is may be said.
func (w *prose) disclosed() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.form) > 0 {
		slices.Sort(w.form)
		return fmt.Errorf("a text gives a secret away: %s; the ledger would show it: write it in other words, change that secret, and list again; nothing was changed", strings.Join(slices.Compact(w.form), ", "))
	}
	if len(w.hit) == 0 {
		return nil
	}
	slices.Sort(w.hit)
	at := slices.Compact(w.hit)
	return fmt.Errorf("a text holds, as a word of its own, the secret of a credential: %s; the ledger would show it: write it in other words, and list again; nothing was changed", strings.Join(at, ", "))
}
