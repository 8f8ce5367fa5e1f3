package ownmount

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
)

// A credential's id begins with the name of its directory, and what is staged
// for it, and where its values lie, is kept by that id. A restored copy of a
// directory has the same immutable ids as the one that it was made from. So
// which servers a name stands for is kept as well.

// DirectoriesFolder is where that is, on our mount.
const DirectoriesFolder = "directories"

// NamedDirectory is a directory as the last campaign that used its name had it.
type NamedDirectory struct {
	Name     string   `json:"-"`
	Base     string   `json:"base"`
	Type     string   `json:"type,omitempty"` // authority.Settings.Type; empty for a directory
	Servers  []string `json:"servers"`        // as config.ServerAt writes them, with the address that was dialled
	Campaign string   `json:"campaign"`
	Device   string   `json:"device"`
	// Doors are those that took passwords of it, as door.Settings.Entrance has
	// them; earlier versions left the page away.
	Doors []string `json:"doors,omitempty"`
	// DoorsFor says of doors whose they were in any campaign: door.Match as a
	// JSON list. One that is not there was named by rows, or by an earlier
	// version.
	DoorsFor map[string]string `json:"doors_for,omitempty"`
	// Gone are servers and doors that campaigns had under the name before that
	// one, and that it did not ask: the last of those campaigns is beside each.
	Gone []GoneServer `json:"gone,omitempty"`

	version int
}

// GoneServer is a server, or a door, that a campaign had under a directory's
// name.
type GoneServer struct {
	Server   string `json:"server"`
	Campaign string `json:"campaign"`
	Device   string `json:"device"`
	// For is as DoorsFor has it; empty for a server.
	For string `json:"for,omitempty"`
	// OthersAlone, of a door: the file in question has it, and not for all
	// whose it was. Not kept.
	OthersAlone bool `json:"-"`
}

// NamedDirectories are those that any campaign on this Vault had, by name. For
// names of which nothing is kept, because the campaigns were of earlier
// versions, their rolls say it.
func (s *Store) NamedDirectories(ctx context.Context, asked ...string) (map[string]NamedDirectory, error) {
	const op = "read which directories have which names"
	names, err := s.Names(ctx, op, s.mount, DirectoriesFolder)
	if err != nil {
		return nil, err
	}
	out := map[string]NamedDirectory{}
	for _, name := range names {
		name, ok := decodeSegment(strings.TrimSuffix(name, "/"))
		if !ok {
			continue
		}
		e, err := s.Get(ctx, op, s.mount, directoryPath(name), 0)
		if err != nil {
			return nil, err
		}
		d := NamedDirectory{Name: name, version: e.Version}
		if e.Data == nil {
			continue // an administrator deleted it
		}
		text, _ := e.Data[pageField].(string)
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return nil, s.Odd(op, s.mount+"/data/"+directoryPath(name), err)
		}
		out[name] = d
	}
	asked = slices.DeleteFunc(slices.Clone(asked), func(name string) bool { _, known := out[name]; return known })
	if len(asked) == 0 {
		return out, nil
	}
	return out, s.directoriesOfRolls(ctx, asked, out)
}

// directoriesOfRolls adds what the newest rolls say of names.
func (s *Store) directoriesOfRolls(ctx context.Context, asked []string, out map[string]NamedDirectory) error {
	all, err := s.Campaigns(ctx, "")
	if err != nil {
		return err
	}
	read := 0
	for _, rec := range all { // newest first
		idx, found, err := s.readIndex(ctx, rec.Campaign)
		if err != nil {
			return err
		}
		if !found || len(idx.Servers) == 0 {
			continue
		}
		if read++; read > maxEarlier {
			break
		}
		for _, name := range asked {
			if _, known := out[name]; known || len(idx.Servers[name]) == 0 {
				continue
			}
			d := NamedDirectory{Name: name, Campaign: rec.Campaign, Device: rec.Device}
			for _, server := range idx.Servers[name] {
				if at := idx.Addresses[server]; at != "" {
					server = config.ServerAt(server, at)
				}
				d.Servers = append(d.Servers, server)
			}
			out[name] = d
		}
	}
	return nil
}

// KeepDirectory writes what a name stands for now, if it still stands for what
// was read as before; the zero value if there was nothing. IsCASMismatch if
// somebody else was first.
func (s *Store) KeepDirectory(ctx context.Context, before, now NamedDirectory) error {
	if before.Base == now.Base && slices.Equal(before.Servers, now.Servers) && slices.Equal(before.Doors, now.Doors) && maps.Equal(before.DoorsFor, now.DoorsFor) && slices.Equal(before.Gone, now.Gone) {
		return nil
	}
	body, err := json.Marshal(now)
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, "keep which directory has the name", s.mount, directoryPath(now.Name), before.version, map[string]any{pageField: string(body)})
	return err
}

func directoryPath(name string) string { return DirectoriesFolder + "/" + encodeSegment(name) }
