package main

import (
	"path/filepath"

	"aigw/gateway"
	"aigw/gateway/apikeys"

	"github.com/urfave/cli/v2"
)

// keysFileFlag names the file of API keys, for the server and for whoever makes them.
func keysFileFlag() cli.Flag {
	return &cli.StringFlag{Name: "keys-file", Usage: "`FILE` of API keys, as aigw keys writes it", DefaultText: apikeys.FileName + " in the folder of --state-dir", EnvVars: []string{"AIGW_KEYS_FILE"}, TakesFile: true}
}

// openAIFlags are those of the door for programs that speak OpenAI's API.
func openAIFlags() []cli.Flag {
	return []cli.Flag{
		keysFileFlag(), embeddingFlag(), uiFlag(),
		&cli.BoolFlag{Name: "openai-insecure", Usage: "answer OpenAI's API without a key, on a loopback address only", EnvVars: []string{"AIGW_OPENAI_INSECURE"}},
	}
}

// keysFile is the path of the file; it is empty where nobody knows one.
func keysFile(c *cli.Context) string {
	if path := c.String("keys-file"); path != "" {
		return path
	}
	if dir := stateDir(c); dir != "" {
		return filepath.Join(dir, apikeys.FileName)
	}
	return ""
}

// openAIOptions says who may use the door. The variables that bypass GitLab's authentication do not
// open it: they are often left on by mistake.
func openAIOptions(c *cli.Context, o *gateway.Options) error {
	if err := checkOpenAIFlags(c); err != nil {
		return err
	}
	o.OpenAIInsecure = c.Bool("openai-insecure")
	path := keysFile(c)
	if path == "" {
		return nil
	}
	var err error
	if o.APIKeys, err = apikeys.Open(path); err != nil && c.String("keys-file") == "" {
		// What lies in the state folder may be another version's; GitLab's users need not wait for its repair.
		o.Logger.Error("API keys are refused until their file can be read", "error", err)
		return nil
	}
	return err
}

func checkOpenAIFlags(c *cli.Context) error {
	if c.Bool("openai-insecure") && !isLoopback(apiAddress(c)) {
		return usagef("--openai-insecure: %s can be reached from other machines; listen on 127.0.0.1, or make keys with aigw keys add", apiAddress(c))
	}
	return nil
}
