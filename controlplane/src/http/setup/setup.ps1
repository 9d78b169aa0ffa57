# Sets up Claude Code on this machine for the gateway at @@GATEWAY@@
#
#   irm @@GATEWAY@@/setup/windows | iex
#
# To say more, make a block of it:
#
#   & ([scriptblock]::Create((irm @@GATEWAY@@/setup/windows))) -Token st-ccag-…
#   & ([scriptblock]::Create((irm @@GATEWAY@@/setup/windows))) -Undo
#
# What is in a settings file stays there. What has to give way is put aside, and -Undo brings it back.
param(
    # key: an API key; gateway: an API key, in Claude Code's gateway mode; login: Claude Code's own /login, for the whole machine
    [ValidateSet('key', 'login', 'gateway', 'sso')] [string] $Mode = '@@MODE@@',
    # A one-time setup token, which is exchanged for a key
    [string] $Token = '',
    [switch] $NoInstall,
    [switch] $Undo
)
& {
    $ErrorActionPreference = 'Stop'
    Set-StrictMode -Version 3
    $gateway = '@@GATEWAY@@'
    $utf8 = New-Object System.Text.UTF8Encoding $false
    $config = if ($env:CLAUDE_CONFIG_DIR) { $env:CLAUDE_CONFIG_DIR } else { Join-Path $HOME '.claude' }

    function Read-Text($path) { if (Test-Path -LiteralPath $path) { [IO.File]::ReadAllText($path) } else { '' } }
    function Write-Text($path, $text) {
        New-Item -ItemType Directory -Force -Path (Split-Path -Parent $path) | Out-Null
        [IO.File]::WriteAllText($path, $text, $utf8)
    }
    function Has($object, $name) { $null -ne $object.PSObject.Properties[$name] }
    function Put($object, $name, $value) {
        if (Has $object $name) { $object.$name = $value } else { $object | Add-Member -NotePropertyName $name -NotePropertyValue $value }
    }
    function Read-Settings($path) {
        $text = Read-Text $path
        if ($text.Trim() -eq '') { return [pscustomobject]@{} }
        try { $settings = $text | ConvertFrom-Json } catch { throw "$path is not JSON; mend it, and run this again. Nothing was changed." }
        if ($settings -isnot [pscustomobject]) { throw "$path is not a JSON object; mend it, and run this again. Nothing was changed." }
        $settings
    }

    if ($Token -and $Mode -ne 'gateway') { $Mode = 'key' }
    if ($Mode -eq 'sso') {
        Write-Warning 'Signing in through the browser is not set up by this script on Windows: use -Mode login, or a key. Going on with a key.'
        $Mode = 'key'
    }
    $places = @{
        machine = Join-Path $env:ProgramFiles 'ClaudeCode\managed-settings.json'
        user    = Join-Path $config 'settings.json'
    }
    $where = if ($Mode -eq 'login') { 'machine' } else { 'user' }

    if ($Undo) {
        $done = $false
        foreach ($where in 'machine', 'user') {
            $file = $places[$where]
            $kept = Join-Path $config "ccag\$where"
            if (-not (Test-Path -LiteralPath "$kept\record.json")) { continue }
            $done = $true
            $record = Read-Text "$kept\record.json" | ConvertFrom-Json
            if ((Test-Path -LiteralPath $file) -and (Read-Text $file) -ceq (Read-Text "$kept\written.json")) {
                if (Test-Path -LiteralPath "$kept\before.json") {
                    Copy-Item -LiteralPath "$kept\before.json" -Destination $file -Force
                    Write-Output "Put back $file as it was."
                } else {
                    Remove-Item -LiteralPath $file
                    Write-Output "Removed $file, which was not there before."
                }
            } elseif (Test-Path -LiteralPath $file) {
                $settings = Read-Settings $file
                foreach ($change in $record.changes) {
                    $parent = $settings
                    if ($change.inEnv) { if (Has $settings 'env') { $parent = $settings.env } else { continue } }
                    $now = if (Has $parent $change.name) { $parent.($change.name) } else { $null }
                    $after = if (Has $change 'after') { $change.after } else { $null }
                    if ($now -cne $after) { continue }
                    if (Has $change 'before') { Put $parent $change.name $change.before } else { $parent.PSObject.Properties.Remove($change.name) }
                }
                Write-Text $file ($settings | ConvertTo-Json -Depth 100)
                Write-Output "Took the gateway out of $file; what you have changed there since stays."
            }
            Remove-Item -LiteralPath $kept -Recurse -Force
        }
        if (-not $done) { throw 'There is nothing to undo: this script has set up nothing here.' }
        Write-Output 'Done. Claude Code itself stays installed.'
        return
    }

    $file = $places[$where]
    $kept = Join-Path $config "ccag\$where"
    $settings = Read-Settings $file
    if ((Has $settings 'env') -and $settings.env -isnot [pscustomobject]) { throw "``env`` in $file is not an object; mend it, and run this again. Nothing was changed." }

    if (-not $NoInstall -and -not (Get-Command claude -ErrorAction SilentlyContinue)) {
        Write-Output 'Claude Code is not here yet; installing it.'
        try { Invoke-RestMethod https://claude.ai/install.ps1 | Invoke-Expression } catch {
            if (-not (Get-Command npm -ErrorAction SilentlyContinue)) { throw 'Claude Code could not be installed. Install it (https://code.claude.com/docs/en/setup) and run this again.' }
            npm install --global '@anthropic-ai/claude-code'
        }
    }

    $wanted = [ordered]@{}
    if ($Mode -ne 'login') {
        $key = $env:CCAG_KEY
        if ($Token) {
            try { $key = Invoke-RestMethod -Method Post -Uri "$gateway/setup/redeem" -Body @{ token = $Token } } catch {
                throw 'The gateway did not take the setup token: it has been used or is over, or the gateway cannot be reached. Ask for another one.'
            }
        } elseif (-not $key) {
            $secure = Read-Host -AsSecureString "API key of the gateway (make one at $gateway/console/keys)"
            $key = (New-Object System.Net.NetworkCredential('', $secure)).Password
        }
        if ("$key" -cnotmatch '^[A-Za-z0-9._-]+$') { throw 'That is not an API key of the gateway: they begin with sk-ccag-.' }
        $answer = $null
        foreach ($try in 1..5) {
            try {
                $answer = Invoke-WebRequest -UseBasicParsing -Uri "$gateway/v1/models" -Headers @{ authorization = "Bearer $key" }
                break
            } catch {
                # A new secret takes a moment to be known everywhere.
                if ($Token -and $try -lt 5) { Start-Sleep -Seconds 1; continue }
                throw "The gateway at $gateway does not take this key, or cannot be reached: $($_.Exception.Message)"
            }
        }
        Write-Output "The gateway at $gateway answers and lets you in."
        $wanted['ANTHROPIC_AUTH_TOKEN'] = "$key"
        $wanted['ANTHROPIC_BASE_URL'] = $gateway
        if ($Mode -eq 'gateway') { $wanted['CLAUDE_CODE_USE_GATEWAY'] = '1' }
@@EXTRAS@@
    }

    # What stood there before the first time is what -Undo brings back.
    $again = (Test-Path -LiteralPath "$kept\written.json") -and (Test-Path -LiteralPath $file) -and (Read-Text $file) -ceq (Read-Text "$kept\written.json")
    if ($again) {
        $settings = if (Test-Path -LiteralPath "$kept\before.json") { Read-Settings "$kept\before.json" } else { [pscustomobject]@{} }
    } else {
        if (Test-Path -LiteralPath $kept) { Remove-Item -LiteralPath $kept -Recurse -Force }
        New-Item -ItemType Directory -Force -Path $kept | Out-Null
        if (Test-Path -LiteralPath $file) { Copy-Item -LiteralPath $file -Destination "$kept\before.json" }
    }

    $changes = New-Object System.Collections.ArrayList
    function Change($parent, $name, $inEnv, $after) {
        $change = [ordered]@{ name = $name; inEnv = $inEnv }
        if (Has $parent $name) { $change['before'] = $parent.$name }
        if ($null -ne $after) { $change['after'] = $after; Put $parent $name $after }
        elseif (Has $parent $name) { $parent.PSObject.Properties.Remove($name) }
        else { return }
        [void] $changes.Add([pscustomobject] $change)
    }
    if ($Mode -eq 'login') {
        Change $settings 'forceLoginMethod' $false 'gateway'
        Change $settings 'forceLoginGatewayUrl' $false $gateway
    } else {
        if (-not (Has $settings 'env')) { Put $settings 'env' ([pscustomobject]@{}) }
        foreach ($name in $wanted.Keys) { Change $settings.env $name $true $wanted[$name] }
        $aside = 'ANTHROPIC_API_KEY', 'CLAUDE_CODE_USE_BEDROCK', 'CLAUDE_CODE_USE_VERTEX', 'CLAUDE_CODE_USE_FOUNDRY',
            'CLAUDE_CODE_USE_MANTLE', 'ANTHROPIC_BEDROCK_BASE_URL', 'CLAUDE_CODE_SKIP_BEDROCK_AUTH', 'CLAUDE_CODE_OAUTH_TOKEN'
        if ($Mode -ne 'gateway') { $aside += 'CLAUDE_CODE_USE_GATEWAY' }
        foreach ($name in $aside) { Change $settings.env $name $true $null }
        Change $settings 'apiKeyHelper' $false $null
    }
    $text = ($settings | ConvertTo-Json -Depth 100) + "`n"
    Write-Text "$kept\record.json" ([pscustomobject]@{ changes = $changes } | ConvertTo-Json -Depth 100)
    Write-Text "$kept\written.json" $text
    try { Write-Text $file $text } catch [UnauthorizedAccessException] {
        throw "$file may be written by administrators only: run this in a PowerShell that was started as administrator."
    }
    Write-Output "Wrote $file."
    foreach ($name in 'ANTHROPIC_API_KEY', 'CLAUDE_CODE_USE_BEDROCK', 'CLAUDE_CODE_USE_VERTEX', 'CLAUDE_CODE_USE_FOUNDRY') {
        if ([Environment]::GetEnvironmentVariable($name)) { Write-Warning "$name is set in your environment. Take it out, or Claude Code may not use the gateway." }
    }
    if ($Mode -eq 'login') { Write-Output 'Done. Start claude and enter /login.' } else { Write-Output 'Done. Start claude.' }
}
