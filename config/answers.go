package config

import (
	"errors"
	"io/fs"
	"path/filepath"

	"rollcall/internal/profile"
)

// answersFile is where answers lie unless the campaign file says otherwise.
const answersFile = "answers.yaml"

// answers reads what people say of the lines of the profile. A file that is
// not there yet is one without answers: "rollcall answers init" writes it.
func (l *loader) answers(top fields, c *Campaign) {
	name := answersFile
	if s, ok := top.scalar("answers"); ok {
		name = s
		if !top.has("profile") {
			top.problem("answers", "goes with profile, whose lines it answers")
		}
	}
	if c.Profile == nil {
		return
	}
	c.AnswersFile = name
	text, err := readFile(c.AnswersIn(l.dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		top.problem("answers", "cannot read %s: %v", shown(filepath.Base(name)), err)
		return
	}
	c.Answers, err = profile.ParseAnswers(name, text, c.Device, c.Profile)
	if err != nil {
		l.inFile(err)
	}
}

// AnswersIn is where the answers are kept, for a campaign file in dir.
func (c *Campaign) AnswersIn(dir string) string {
	if filepath.IsAbs(c.AnswersFile) {
		return c.AnswersFile
	}
	return filepath.Join(dir, c.AnswersFile)
}

// Word is a person's word that a campaign goes on with what would keep it from
// starting.
type Word struct {
	Reason string `json:"reason"`
	By     string `json:"by"`
}

// profileLines are the lines of the profile that all of a source answers.
func (l *loader) profileLines(f fields, c *Campaign) []string {
	if !f.has("line") {
		return nil
	}
	if c.Profile == nil {
		if !f.l.profileNamed {
			f.problem("line", "goes with profile, whose line it names")
		}
		return nil
	}
	var out []string
	add := func(id string) {
		if why := c.Profile.Unknown(id); why != "" {
			f.problem("line", "%s", why)
			return
		}
		out = append(out, id)
	}
	if items := f.vals["line"].Content; len(items) > 0 {
		for _, n := range f.list("line") {
			if s, ok := l.text(n, f.at("line")); ok {
				add(s)
			}
		}
		return out
	}
	if s, ok := f.scalar("line"); ok {
		add(s)
	}
	return out
}
