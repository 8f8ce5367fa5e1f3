package config

import (
	"embed"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"rollcall/internal/profile"
)

//go:embed profiles/*.yaml
var profileFiles embed.FS

const profileFolder = "profiles"

// ProfileNames are the device profiles of this build, sorted.
func ProfileNames() (names []string) {
	files, err := profileFiles.ReadDir(profileFolder)
	if err != nil {
		return nil // only if the build has none
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// BuiltInProfile is the profile of that name in this build; nil without an
// error if it has none.
func BuiltInProfile(name string) (*profile.Profile, error) {
	if !slices.Contains(ProfileNames(), name) {
		return nil, nil
	}
	file := path.Join(profileFolder, name+".yaml")
	text, err := profileFiles.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return profile.Parse(file, text)
}

// profile reads which profile the device has: one of the build by its name, or
// the file of one.
func (l *loader) profile(top fields) *profile.Profile {
	name, ok := top.scalar("profile")
	if !ok {
		return nil
	}
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".yaml" || ext == ".yml" {
		text := top.file("profile")
		if text == nil {
			return nil
		}
		p, err := profile.Parse(name, text)
		if err != nil {
			l.inFile(err)
			return nil
		}
		p.Own = true
		return p
	}
	p, err := BuiltInProfile(name)
	switch {
	case err != nil:
		l.inFile(err)
	case p == nil:
		near := nearest(name, ProfileNames())
		for _, known := range ProfileNames() {
			if near == "" && len(name) > 2 && strings.Contains(known, strings.ToLower(name)) {
				near = known
			}
		}
		if near != "" {
			top.problem("profile", "no profile is called %s; did you mean %s?", shown(name), near)
			return nil
		}
		top.problem("profile", "no profile is called %s: `rollcall profiles list` names those of this build, generic is for any other device, and a file of your own ends in .yaml", shown(name))
	}
	return p
}

// inFile takes over what is wrong with another file than the campaign's.
func (l *loader) inFile(err error) {
	var m *profile.Mistakes
	if !errors.As(err, &m) {
		l.others = append(l.others, err)
		return
	}
	out := &Errors{File: m.File}
	for _, p := range m.List {
		out.List = append(out.List, Problem{Line: p.Line, Text: p.Text})
	}
	l.others = append(l.others, out)
}
