package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is what matters here of a workflow of GitHub.
type workflow struct {
	Permissions *map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Timeout     int `yaml:"timeout-minutes"`
		Steps       []struct {
			Uses, Run string
			With      map[string]string
		}
	}
}

var (
	pinned = regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40}$`)
	script = regexp.MustCompile(`\.ci/[a-z]+`)
)

// TestWorkflows keeps the workflows to commits instead of tags, which can be
// moved, and to no more rights than they need.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var w workflow
			if err := yaml.Unmarshal(text, &w); err != nil {
				t.Fatal(err)
			}
			if w.Permissions == nil || strings.Contains(string(text), "pull_request_target") {
				t.Error("it has the rights of the repository's default, or runs strangers' code with rights")
			}
			for name, job := range w.Jobs {
				if job.Timeout == 0 {
					t.Errorf("%s has no end", name)
				}
				for right, level := range job.Permissions {
					if level == "write" && filepath.Base(file) != "release.yml" {
						t.Errorf("%s may write %s", name, right)
					}
				}
				for _, step := range job.Steps {
					checkStep(t, step.Uses, step.Run, step.With)
				}
			}
		})
	}
}

func checkStep(t *testing.T, uses, run string, with map[string]string) {
	t.Helper()
	if uses != "" && !pinned.MatchString(uses) {
		t.Errorf("%s is not pinned to a commit", uses)
	}
	if strings.HasPrefix(uses, "actions/checkout@") && with["persist-credentials"] != "false" {
		t.Error("the checkout leaves its token behind")
	}
	if strings.Contains(run, "${{") {
		t.Errorf("text of others becomes part of a script: %s", run)
	}
	for _, path := range script.FindAllString(run, -1) {
		if _, err := os.Stat("../" + path); err != nil {
			t.Error(err)
		}
	}
}
