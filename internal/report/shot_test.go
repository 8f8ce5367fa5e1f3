package report

import (
	"github.com/stretchr/testify/require"
	"os"
	"testing"
)

func TestShot(t *testing.T) {
	for name, s := range map[string]func() string{
		"sample":  func() string { src, _ := render(t, sample(true).fold(), verified); return src },
		"running": func() string { src, _ := render(t, sample(false).fold(), Verification{}); return src },
		"crowd":   func() string { src, _ := render(t, crowd(5000), verified); return src },
	} {
		require.NoError(t, os.WriteFile("/tmp/bl_"+name+".html", []byte(s()), 0o600))
	}
}
