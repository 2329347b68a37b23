package integration

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// curl implements the options of curl that the README uses, so that the test needs only
// Go. It returns what `-i` prints.
func curl(t *testing.T, site string, arguments []string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "*/*")
	for i := 0; i < len(arguments); i++ {
		flag := arguments[i]
		if flag == "-i" {
			continue
		}
		if !strings.HasPrefix(flag, "-") {
			address, err := r.URL.Parse("http://" + strings.Replace(flag, "localhost:8080", site, 1))
			if err != nil {
				t.Fatal(err)
			}
			r.URL = address
			continue
		}
		i++
		switch value := arguments[i]; flag {
		case "-H":
			name, value, _ := strings.Cut(value, ": ")
			r.Header.Set(name, value)
			if name == "Host" {
				r.Host = value
			}
		case "-u":
			user, password, _ := strings.Cut(value, ":")
			r.SetBasicAuth(user, password)
		case "-b":
			r.Header.Set("Cookie", value)
		case "-X":
			r.Method = value
		case "--json":
			r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(value)), int64(len(value))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json")
		default:
			t.Fatalf("curl %s is not known here", flag)
		}
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("HTTP/1.1 %s\n%s\n\n%s", response.Status, strings.Join(fieldLines(response.Header), "\n"), body)
}

func fieldLines(h http.Header) []string {
	var lines []string
	for name, values := range h {
		for _, value := range values {
			lines = append(lines, name+": "+value)
		}
	}
	slices.Sort(lines)
	return lines
}

// expand puts variables of the tour in place of $NAME.
func expand(command string, variables map[string]string) string {
	return os.Expand(command, func(name string) string {
		if value, known := variables[name]; known {
			return value
		}
		return "$" + name
	})
}

// split splits a command line into words, as a shell does.
func split(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	var word strings.Builder
	quote, started := rune(0), false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, started = c, true
		case quote == 0 && c == ' ':
			if started || word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteRune(c)
		}
	}
	if quote != 0 {
		t.Fatalf("a quote is open in %s", line)
	}
	if started || word.Len() > 0 {
		words = append(words, word.String())
	}
	return words
}
