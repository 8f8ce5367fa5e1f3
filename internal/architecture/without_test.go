package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The two servers' programs are built without what only clouds have: it was
// half of what there is to compile, and the engine is what people install.
// go.mod names every module of which a package is linked.
func TestTheServersAreBuiltWithoutClouds(t *testing.T) {
	t.Parallel()
	clouds := []string{
		"k8s.io/client-go", "cloud.google.com/go/storage", "github.com/aws/aws-sdk-go-v2/service/s3", "github.com/Azure/azure-sdk-for-go",
		"github.com/aws/aws-sdk-go-v2/service/ec", "github.com/aws/aws-sdk-go-v2/service/lambda", "github.com/aliyun/",
		"github.com/okta/", "github.com/vmware/", "github.com/softlayer/", "github.com/oracle/oci-go-sdk",
	}
	replaced := regexp.MustCompile(`(?m)^replace (\S+) => \./without/(\S+)$`)
	for _, program := range []string{"engine", "devvault"} {
		module := filepath.Join("..", "..", program)
		text, err := os.ReadFile(filepath.Join(module, "go.mod"))
		require.NoError(t, err)
		var without, folders []string
		for _, m := range replaced.FindAllStringSubmatch(string(text), -1) {
			without, folders = append(without, m[1]), append(folders, m[2])
		}
		for line := range strings.Lines(string(text)) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if slices.ContainsFunc(clouds, func(c string) bool { return strings.HasPrefix(name, c) }) {
				require.Contains(t, without, name, "%s/go.mod needs it, which is linked: see %s/without/README.md", program, program)
			}
		}
		stand, err := filepath.Glob(filepath.Join(module, "without", "*", "go.mod"))
		require.NoError(t, err)
		require.NotEmpty(t, stand)
		for _, m := range stand {
			require.Contains(t, folders, filepath.Base(filepath.Dir(m)), "%s/without has it, and go.mod does not use it", program)
		}
	}
}
