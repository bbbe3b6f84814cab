# Completion of ztctl for PowerShell:
#   ztctl completions powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName 'ztctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $words = @()
    foreach ($element in $commandAst.CommandElements) {
        if ($element.Extent.StartOffset -lt $cursorPosition) {
            $text = $element.Extent.Text
            $length = [math]::Min($text.Length, $cursorPosition - $element.Extent.StartOffset)
            $words += $text.Substring(0, $length)
        }
    }
    if ($wordToComplete -eq '') {
        $words += ''
    }
    ztctl complete --index ($words.Count - 1) -- $words 2>$null | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        if (-not $help) {
            $help = $value
        }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
    }
}
