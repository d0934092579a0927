# After deploying: has Event Grid tell the app of new images, and says how to go on.
# The twin of postdeploy.sh, which says more; both give the same commands in the same order.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

function again([string]$what) {
    $what, 'Until then new images are found by the app''s timer only, ten minutes after their upload or later.', 'Mend it, then run `azd hooks run postdeploy`.' | ForEach-Object { [Console]::Error.WriteLine($_) }
    exit 1
}

if (-not (Get-Command az -ErrorAction SilentlyContinue)) { again 'The Azure CLI is needed beside azd: install it, and run `az login`.' }
$hooks = $PSScriptRoot
$subscription = $env:AZURE_SUBSCRIPTION_ID
$group = $env:AZURE_RESOURCE_GROUP
$app = $env:APP_NAME
$topic = $env:EVENT_TOPIC
$account = $env:IMAGES_ACCOUNT
$container = $env:IMAGES_CONTAINER
$pause = if ($env:HOOK_PAUSE) { [int]$env:HOOK_PAUSE } else { 10 }
$prefix = "/blobServices/default/containers/$container/blobs/"
$function = 'caption_image'

# ---- The app has started: its functions are known, and it has made its key ------------------------

$key = ''
$functions = @()
foreach ($try in 1..30) {
    $functions = az functionapp function list --subscription $subscription -g $group -n $app --query "[].name" -o tsv 2>$null
    $key = az functionapp keys list --subscription $subscription -g $group -n $app --query "systemKeys.blobs_extension && 'there'" -o tsv 2>$null
    if (@($functions) -contains "$app/$function" -and $key -eq 'there') { break }
    if ($try -eq 1) { Write-Host 'Waiting for the app to start...' }
    Start-Sleep -Seconds $pause
}
if (@($functions) -notcontains "$app/$function") { again "The app does not have the function $function after $try tries: it did not start, or its roles are not in force yet. Its log says why." }
if ($key -ne 'there') { again "The app has no key blobs_extension after $try tries, which its blob trigger makes. Restart it." }

# ---- The subscription -----------------------------------------------------------------------------

$made = ''
foreach ($try in 1..5) {
    $made = az deployment group create --subscription $subscription -g $group -n image-events --template-file "$hooks/../events.bicep" --parameters topicName="$topic" imagesAccountName="$account" imagesContainer="$container" deletedQueue="$env:DELETED_QUEUE" deadLetterContainer="$env:DEAD_LETTER_CONTAINER" appName="$app" --query "properties.provisioningState" -o tsv
    if ($made -eq 'Succeeded') { break }
    Start-Sleep -Seconds $pause
}
if ($made -ne 'Succeeded') { again "The Event Grid subscription 'created' could not be made; see above. If it has another endpoint or an old key, delete it first, with ``az eventgrid system-topic event-subscription delete``." }

# What is there now, not what was asked for.
$found = az eventgrid system-topic event-subscription show --subscription $subscription -g $group --system-topic-name $topic -n created --query "join(' ', [provisioningState, destination.endpointBaseUrl, filter.subjectBeginsWith])" -o tsv
if ($found -ne "Succeeded $env:APP_URL/runtime/webhooks/blobs $prefix") { again "The Event Grid subscription 'created' is not as it should be: $found" }
Write-Host "Event Grid tells the app of new images in $container."

# ---- How to go on ---------------------------------------------------------------------------------

Write-Host ''
if (@($functions) -contains "$app/gallery") { Write-Host "Gallery         $env:APP_URL/" }
Write-Host "Health          $env:APP_URL/api/health"
Write-Host "Captions        $env:APP_URL/api/captions?code=KEY"
Write-Host "A key           az functionapp keys list -g $group -n $app --query functionKeys.default -o tsv"
Write-Host "A first image   az storage blob upload --auth-mode login --account-name $account -c $container -n samples/cat.jpg -f samples/cat.jpg"
Write-Host '                (your role may take some minutes to be in force)'
Write-Host 'Images that are in the container already are captioned by themselves, from ten minutes after their'
Write-Host 'upload on, 10,000 looked at every five minutes. Those elsewhere: copy them in, for example with azcopy.'
